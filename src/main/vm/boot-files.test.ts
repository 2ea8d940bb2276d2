import {mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs';
import {open} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate as nextTurn} from 'node:timers/promises';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test, {type ExecutionContext} from 'ava';
import {fixture, pattern} from '#main/compression/testing';
import {addressOf} from '#support/ffi';
import {BootFiles} from './boot-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-boot-files-'));
test.after.always(() => rmSync(folder, {recursive: true}));
const mib = 2 ** 20;
const save = (name: string, bytes: string | Uint8Array) => {
	writeFileSync(join(folder, name), bytes);
	return join(folder, name);
};
/** Counts reads of any file, until the test ends. */
async function countReads(t: ExecutionContext): Promise<() => number> {
	await using file = await open(folder);
	const handles = Object.getPrototypeOf(file) as {read: (...words: unknown[]) => unknown};
	const {read} = handles;
	let reads = 0;
	handles.read = function (...words) {
		reads++;
		return read.apply(this, words);
	};
	t.teardown(() => {
		handles.read = read;
	});
	return () => reads;
}

/** Files are as old as it takes. */
const later = () => new BootFiles(() => Date.now() + 60_000);

test('a file that fits is read whole', async (t) => {
	t.is(Buffer.from(await later().read(save('small', 'kernel'), 6)).toString(), 'kernel');
	t.is((await later().read(save('empty', ''), 6)).length, 0);
});

test('a file larger than the memory is refused unread, whatever its size', async (t) => {
	const path = save('large', '');
	truncateSync(path, 3 * 2 ** 30);
	const error = await t.throwsAsync(later().read(path, 512 * mib), {code: 'MEMORY_BELOW_BOOT_FILE'});
	t.regex(error.message, /large" has 3GB, and the machine has 512MB/);
});

test('machines share the bytes of a file, those that read it at the same time too, until it changes', async (t) => {
	const files = later();
	const path = save('shared', 'kernel');
	const [first, second] = await Promise.all([files.read(path, 100), files.read(path, 200)]);
	t.is(first.buffer, second.buffer);
	t.is((await files.read(path, 100)).buffer, first.buffer);
	save('shared', 'Kernel 2');
	const changed = await files.read(path, 100);
	t.is(Buffer.from(changed).toString(), 'Kernel 2');
	t.is(Buffer.from(first).toString(), 'kernel');
});

test('a file that has just been written is shared with nobody', async (t) => {
	const files = new BootFiles();
	const path = save('new', 'kernel');
	t.not((await files.read(path, 100)).buffer, (await files.read(path, 100)).buffer);
});

test('what could not be read is tried again', async (t) => {
	const files = later();
	const path = join(folder, 'missing');
	await t.throwsAsync(files.read(path, 100), {code: 'ENOENT'});
	save('missing', 'here');
	t.is((await files.read(path, 100)).length, 4);
});

test.serial('a kernel is read and decompressed once for all machines, and for none that has less memory', async (t) => {
	const files = later();
	const path = save('kernel.gz', fixture('pattern.gz'));
	const kernel = await files.readKernel(path, 64 * mib);
	t.true(Buffer.from(kernel).equals(pattern()));
	const reads = await countReads(t);
	t.is((await files.readKernel(path, 32 * mib)).buffer, kernel.buffer);
	t.is(reads(), 0);
	await t.throwsAsync(files.readKernel(path, 2 ** 18), {code: 'MEMORY_BELOW_ARCHIVE'});
	t.is((await files.readKernel(path, 64 * mib)).buffer, kernel.buffer);
});

test('a kernel that is too large for one machine is there for one that asks at the same time', async (t) => {
	const files = later();
	const path = save('large.gz', fixture('pattern.gz'));
	const [small, large] = await Promise.allSettled([files.readKernel(path, 2 ** 18), files.readKernel(path, 64 * mib)]);
	t.like(small, {status: 'rejected', reason: {code: 'MEMORY_BELOW_ARCHIVE'}});
	t.true(large.status === 'fulfilled' && Buffer.from(large.value).equals(pattern()));
});

test('a kernel that is not compressed is the file', async (t) => {
	const files = later();
	const path = save('plain', pattern());
	t.is((await files.readKernel(path, 64 * mib)).buffer, (await files.read(path, 32 * mib)).buffer);
});

test('nobody can write to what machines share', async (t) => {
	const files = later();
	const file = await files.read(save('sealed', pattern()), 64 * mib);
	const kernel = await files.readKernel(save('sealed.gz', fixture('pattern.gz')), 64 * mib);
	const maps = readFileSync('/proc/self/maps', 'latin1');
	for (const {buffer} of [file, kernel]) {
		const address = addressOf(buffer as SharedArrayBuffer).toString(16);
		t.regex(maps, new RegExp(`^0*${address}-\\w+ r--`, 'm'));
	}
});

test('the bytes go with the last machine that refers to them', async (t) => {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	const files = later();
	const path = save('collected', 'kernel');
	const held = (await files.read(path, 100)).subarray(1);
	const other = new WeakRef((await files.read(save('other', 'kernel'), 100)).buffer);
	await nextTurn();
	collect();
	t.is(other.deref(), undefined);
	t.is((await files.read(path, 100)).buffer, held.buffer);
});
