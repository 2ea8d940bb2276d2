import {execFileSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {readImage, writeImage} from '#devices/storage/image';
import {hasQemuImg, ModelDisk, qemuImgSays, SeededRandom} from '#devices/storage/image/testing';
import {formatNames, openDisk} from '#devices/storage/image-formats';
import {checkDisk, commitDisk, convertDisk, createDisk, diskInfo, resizeDisk} from './index.ts';

const withQemu = hasQemuImg ? test : test.skip;
/** What QEMU calls a format. */
const peerName = (format: string) => (format === 'vhd' ? 'vpc' : format);
/** True where it has a checker. */
const peerChecks = (format: string) => hasQemuImg && ['qcow2', 'vhdx'].includes(format);
const sizeBytes = 24 * 2 ** 20;

function folder(t: ExecutionContext): {at: (name: string) => string; names: () => readonly string[]} {
	const path = mkdtempSync(join(tmpdir(), 'openvmm-disks-'));
	t.teardown(() => rmSync(path, {recursive: true, force: true}));
	return {at: (name) => join(path, name), names: () => readdirSync(path)};
}

/** Writes data here and there. */
async function fill(path: string, seed: number, end = sizeBytes): Promise<void> {
	const disk = await openDisk(path, {writable: true});
	const random = new SeededRandom(seed);
	for (let i = 0; i < 20; i++) {
		const length = (1 + random.below(200)) * 512;
		await writeImage(disk.image, random.below((end - length) / 512) * 512, random.bytes(length));
	}
	await disk.close();
}

async function contentOf(path: string): Promise<Buffer> {
	const disk = await openDisk(path, {writable: false});
	const bytes = Buffer.alloc(disk.image.sizeBytes);
	await readImage(disk.image, 0, bytes);
	await disk.close();
	return bytes;
}

for (const from of formatNames) {
	for (const to of formatNames) {
		test(`${from} is converted to ${to}: the same disk, and its zeros take no space`, async (t) => {
			t.timeout(900_000);
			const {at, names} = folder(t);
			const [source, target] = [at(`source.${from}`), at(`target.${to}`)];
			await createDisk({path: source}, sizeBytes);
			await fill(source, 1);
			const steps: number[] = [];
			await convertDisk({path: source}, {path: target}, {progress: (done, total) => steps.push(done / total)});
			t.true((await contentOf(source)).equals(await contentOf(target)));
			t.deepEqual(
				steps.toSorted((a, b) => a - b),
				steps,
			);
			t.is(steps.at(-1), 1);
			t.true(statSync(target).blocks * 512 < sizeBytes / 2);
			t.like(await checkDisk({path: target}, undefined), {leaks: 0, faultCount: 0});
			t.deepEqual(names().toSorted(), [`source.${from}`, `target.${to}`].toSorted());
			if (!hasQemuImg) return;
			qemuImgSays(t, 'compare', '-f', peerName(from), '-F', peerName(to), source, target);
			if (peerChecks(to)) qemuImgSays(t, 'check', '-f', to, target);
		});
	}
}

for (const compression of ['zlib', 'zstd'] as const)
	for (const blockBytes of [4096, 65_536, 2 ** 21])
		test(`a disk is converted to clusters of ${blockBytes} compressed by ${compression}, and written then`, async (t) => {
			t.timeout(900_000);
			const {at} = folder(t);
			const random = new SeededRandom(blockBytes);
			// Its end is within a cluster. Some is text, some noise, and runs of zeros begin within clusters.
			const bytes = Buffer.alloc(5 * 2 ** 20 + 1536);
			for (let piece = 0; piece < 30; piece++) {
				const [start, length] = [random.below(bytes.length), 512 * (1 + random.below(200))];
				const what = piece % 3 === 0 ? random.bytes(length) : Buffer.alloc(length, `${piece} is written here. `);
				bytes.set(what.subarray(0, bytes.length - start), start);
			}
			bytes.fill('the end', bytes.length - 1000);
			writeFileSync(at('it.raw'), bytes);
			const [plain, path] = [at('plain.qcow2'), at('it.qcow2')];
			await convertDisk({path: at('it.raw')}, {path: plain, blockBytes});
			const steps: number[] = [];
			const progress = (done: number, total: number) => void steps.push(done / total);
			await convertDisk({path: at('it.raw')}, {path, blockBytes, compression}, {progress});
			t.deepEqual(
				steps.toSorted((a, b) => a - b),
				steps,
			);
			t.is(steps.at(-1), 1);
			t.true((await contentOf(path)).equals(bytes));
			t.true(statSync(path).size < 0.8 * statSync(plain).size, `${statSync(path).size} of ${statSync(plain).size}`);
			t.like((await diskInfo({path})).facts, {compression});
			const sound = async () => {
				t.like(await checkDisk({path}, undefined), {leaks: 0, faultCount: 0});
				if (hasQemuImg) qemuImgSays(t, 'check', '-f', 'qcow2', path);
			};
			await sound();
			if (hasQemuImg) qemuImgSays(t, 'compare', '-f', 'raw', '-F', 'qcow2', at('it.raw'), path);
			const {image, close} = await openDisk(path, {writable: true});
			const model = new ModelDisk(image, random, new Uint8Array(bytes));
			for (let step = 0; step < 40; step++) await model.step();
			await close();
			t.true((await contentOf(path)).equals(model.expected));
			await sound();
		});

test('a new image whose name OpenVMM has for the state of firmware is a fixed VHD', async (t) => {
	const {at} = folder(t);
	await createDisk({path: at('it.vmgs')}, 4 * 2 ** 20);
	await fill(at('it.vmgs'), 1, 4 * 2 ** 20);
	await convertDisk({path: at('it.vmgs')}, {path: at('other.vmgs')});
	for (const name of ['it.vmgs', 'other.vmgs']) {
		t.like(await diskInfo({path: at(name)}), {format: 'vhd', facts: {kind: 'fixed'}, sizeBytes: 4 * 2 ** 20});
		t.is(statSync(at(name)).size, 4 * 2 ** 20 + 512);
	}
	await createDisk({path: at('it.vhd')}, 4 * 2 ** 20);
	t.like((await diskInfo({path: at('it.vhd')})).facts, {kind: 'dynamic'});
});

test('blocks are compressed where the format has such alone', async (t) => {
	const {at, names} = folder(t);
	writeFileSync(at('it.raw'), Buffer.alloc(2 ** 20, 'text'));
	for (const wanted of [{path: at('it.vhdx')}, {path: at('it.qcow2'), version: 2, compression: 'zstd'}] as const) {
		const converted = convertDisk({path: at('it.raw')}, {compression: 'zlib', ...wanted});
		await t.throwsAsync(converted, {code: 'DISK_IMAGE_OPTION_INVALID', message: /compress/});
	}
	t.deepEqual(names(), ['it.raw']);
});

for (const format of formatNames) {
	withQemu(`what QEMU converts to ${format} is converted back`, async (t) => {
		t.timeout(900_000);
		const {at} = folder(t);
		const random = new SeededRandom(4);
		const bytes = Buffer.alloc(sizeBytes);
		for (let i = 0; i < 10; i++) bytes.set(random.bytes(70_000), random.below(sizeBytes - 70_000));
		writeFileSync(at('raw.raw'), bytes);
		qemuImgSays(t, 'convert', '-f', 'raw', '-O', peerName(format), at('raw.raw'), at(`it.${format}`));
		await convertDisk({path: at(`it.${format}`)}, {path: at('back.raw')});
		t.true((await contentOf(at('back.raw'))).subarray(0, sizeBytes).equals(bytes));
	});

	test(`a disk grows by zeros and is cut: ${format}`, async (t) => {
		t.timeout(900_000);
		const {at} = folder(t);
		const path = at(`it.${format}`);
		const holds = async (expected: Buffer) => {
			t.true((await contentOf(path)).equals(expected));
			if (!hasQemuImg) return;
			writeFileSync(at('expected'), expected);
			qemuImgSays(t, 'compare', '-f', peerName(format), '-F', 'raw', path, at('expected'));
			if (peerChecks(format)) qemuImgSays(t, 'check', '-f', format, path);
		};
		await createDisk({path}, sizeBytes);
		await fill(path, 2);
		const before = await contentOf(path);
		await resizeDisk({path}, sizeBytes * 2, {shrinks: false});
		await holds(Buffer.concat([before, Buffer.alloc(sizeBytes)]));
		await t.throwsAsync(resizeDisk({path}, sizeBytes / 2, {shrinks: false}), {code: 'DISK_WOULD_SHRINK'});
		await resizeDisk({path}, sizeBytes / 2 + 1024, {shrinks: true});
		const cut = before.subarray(0, sizeBytes / 2 + 1024);
		await holds(cut);
		await resizeDisk({path}, sizeBytes, {shrinks: false});
		await holds(Buffer.concat([cut, Buffer.alloc(sizeBytes / 2 - 1024)]));
		t.like(await checkDisk({path}, undefined), {leaks: 0, faultCount: 0});
		if (peerChecks(format)) qemuImgSays(t, 'check', '-f', format, path);
	});
}

for (const format of ['qcow2', 'vhdx'])
	test(`an image over another one, committed to it: ${format}`, async (t) => {
		const {at} = folder(t);
		const [base, over] = [at(`base.${format}`), at(`over.${format}`)];
		await createDisk({path: base}, sizeBytes);
		await fill(base, 3);
		await createDisk({path: over, backing: {path: `base.${format}`}}, undefined);
		t.like(await diskInfo({path: over}), {sizeBytes, backing: {name: `base.${format}`, format}});
		await resizeDisk({path: over}, sizeBytes + 2 ** 20, {shrinks: false});
		await fill(over, 4, sizeBytes + 2 ** 20);
		const disk = await openDisk(over, {writable: true});
		await disk.image.zero(2 ** 20, 3 * 2 ** 20);
		await disk.close();
		const before = await contentOf(over);
		t.false((await contentOf(base)).equals(before.subarray(0, sizeBytes)));
		t.is(await commitDisk({path: over}), `base.${format}`);
		t.true((await contentOf(base)).equals(before));
		// A VHDX tells that what is below was written.
		if (format === 'vhdx') await t.throwsAsync(contentOf(over), {code: 'DISK_LAYER_CHANGED'});
		else t.true((await contentOf(over)).equals(before));
		t.like(await checkDisk({path: base}, undefined), {leaks: 0, faultCount: 0});
		await t.throwsAsync(commitDisk({path: base}), {code: 'DISK_HAS_NO_LAYERS'});
		if (!hasQemuImg) return;
		writeFileSync(at('expected'), before);
		qemuImgSays(t, 'compare', '-f', format, '-F', 'raw', base, at('expected'));
		qemuImgSays(t, 'check', '-f', format, base);
		// It opens no differencing VHDX.
		if (format === 'qcow2') qemuImgSays(t, 'compare', base, over);
	});

for (const format of ['qcow2', 'vhdx'])
	test(`a disk that is to grow and is given up has the size that it had, and grows by zeros when it is asked again: ${format}`, async (t) => {
		t.timeout(900_000);
		const {at} = folder(t);
		const [base, over] = [at(`base.${format}`), at(`over.${format}`)];
		const longer = 10 * sizeBytes;
		await createDisk({path: base}, longer);
		await fill(base, 3, longer);
		await createDisk({path: over, backing: {path: `base.${format}`}}, sizeBytes);
		const before = await contentOf(over);
		const giveUp = async (size: number, shrinks: boolean) => {
			const controller = new AbortController();
			const steps: number[] = [];
			const progress = (done: number, total: number) => {
				steps.push(done / total);
				if (done > 0) controller.abort(new Error('enough'));
			};
			await resizeDisk({path: over}, size, {shrinks, progress, signal: controller.signal}).finally(() =>
				t.true(steps.length > 1 && steps[0] === 0, `${steps}`),
			);
			return steps;
		};
		await t.throwsAsync(giveUp(longer, false), {code: 'OPERATION_ABORTED', message: /resize/});
		t.true((await contentOf(over)).equals(before));
		t.like(await checkDisk({path: over}, undefined), {leaks: 0, faultCount: 0});
		await resizeDisk({path: over}, longer, {shrinks: false});
		t.true((await contentOf(over)).equals(Buffer.concat([before, Buffer.alloc(longer - sizeBytes)])));
		// What is cut off is gone from then on.
		t.is((await giveUp(sizeBytes, true)).at(-1), 1);
		t.true((await contentOf(over)).equals(before));
	});

test('a conversion that is given up or fails leaves nothing, and takes no name that there is', async (t) => {
	const {at, names} = folder(t);
	await createDisk({path: at('it.qcow2')}, sizeBytes);
	await fill(at('it.qcow2'), 5);
	const controller = new AbortController();
	const progress = () => controller.abort(new Error('enough'));
	const asked = {progress, signal: controller.signal};
	await t.throwsAsync(convertDisk({path: at('it.qcow2')}, {path: at('new.raw')}, asked), {code: 'OPERATION_ABORTED'});
	await t.throwsAsync(convertDisk({path: at('it.qcow2')}, {path: at('it.qcow2')}), {code: 'DISK_IMAGE_EXISTS'});
	const wanted = {path: at('new.qcow2'), blockBytes: 1000};
	await t.throwsAsync(convertDisk({path: at('it.qcow2')}, wanted), {code: 'DISK_IMAGE_OPTION_INVALID'});
	await t.throwsAsync(createDisk({path: at('new.qcow2')}, undefined), {code: 'DISK_SIZE_MISSING'});
	await t.throwsAsync(createDisk({path: at('new.raw'), backing: {path: 'it.qcow2'}}, 512), {
		code: 'DISK_IMAGE_OPTION_INVALID',
	});
	t.deepEqual(names(), ['it.qcow2']);
});

test('leaks and wrong counts are found, and put right where that is asked', async (t) => {
	const {at} = folder(t);
	const path = at('it.qcow2');
	await createDisk({path}, sizeBytes);
	await fill(path, 6);
	// The count of the last cluster but one goes, and one behind the end of all rises.
	const clusters = statSync(path).size / 65_536;
	const patch = (cluster: number, count: number) =>
		execFileSync('dd', [`of=${path}`, 'bs=1', `seek=${2 * 65_536 + cluster * 2}`, 'conv=notrunc', 'status=none'], {
			input: Buffer.from([0, count]),
		});
	const content = await contentOf(path);
	patch(clusters - 2, 0);
	patch(clusters + 5, 1);
	t.like(await checkDisk({path}, undefined), {leaks: 1, faultCount: 1});
	t.like(await checkDisk({path}, 'leaks'), {leaks: 0, faultCount: 1, repaired: 1});
	t.like(await checkDisk({path}, 'all'), {leaks: 0, faultCount: 0, repaired: 1});
	t.like(await checkDisk({path}, undefined), {leaks: 0, faultCount: 0, repaired: 0});
	t.true(content.equals(await contentOf(path)));
	if (hasQemuImg) qemuImgSays(t, 'check', '-f', 'qcow2', path);
});
