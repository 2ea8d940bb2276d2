import {
	copyFileSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {vmConfig} from '#main/config';
import {allocateRam} from '#main/memory';
import {isVmmError} from '#support/errors';
import {checkShape, machineShape} from './check-shape.ts';
import {formatManifest, type Manifest, parseManifest} from './manifest.ts';
import {openSnapshot} from './open-snapshot.ts';
import {saveSnapshot} from './save-snapshot.ts';
import {verifySnapshot} from './verify-snapshot.ts';

const MiB = 2 ** 20;
const units = {time: 5, devices: {com1: 'text'}};

/** RAM of two ranges on both sides of the hole below 4 GiB, a few pages of it used. */
function makeRam(
	t: ExecutionContext,
	memory: Parameters<typeof vmConfig>[0] = {},
	contents?: {fd: number; what: string},
) {
	const layout = [
		{gpa: 0, length: 6 * MiB},
		{gpa: 2 ** 32, length: 7 * MiB},
	];
	const config = vmConfig({...memory, memory: {sizeBytes: 13 * MiB, ...memory.memory}});
	const ram = allocateRam([{memory: config.memory, ranges: layout}], contents);
	t.teardown(() => ram.dispose());
	return {ram, guest: new MappedMemory(ram.ranges), config};
}

const shape = {processors: 1, memoryBytes: 13 * MiB, irqchip: 'kernel'};
const places = [0, 5 * MiB + 123, 2 ** 32 + 4096, 2 ** 32 + 7 * MiB - 4];

function place(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-snapshot-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return join(folder, 'snapshot');
}

async function save(t: ExecutionContext, directory: string, value: number) {
	const {ram, guest, config} = makeRam(t);
	for (const gpa of places) guest.writeInteger(gpa, 4, value);
	await saveSnapshot(directory, {shape, boot: 'other', arguments: ['--processors', '1'], units, ram});
	return {config, ram};
}

for (const shared of [true, false]) {
	test(`memory comes back as it was, sparse, and copies never touch it, ${shared ? 'shared' : 'private'} pages`, async (t) => {
		const directory = place(t);
		const {ram, guest} = makeRam(t, {memory: {shared}});
		for (const gpa of places) guest.writeInteger(gpa, 4, 0xfeed_0000);
		const progress: number[] = [];
		await saveSnapshot(directory, {shape, boot: 'other', arguments: [], units, ram}, (done) => progress.push(done));
		t.is(progress.at(-1), 13 * MiB);
		const file = join(directory, 'memory.bin');
		t.is(statSync(file).size, 13 * MiB);
		t.true(statSync(file).blocks * 512 <= 64 * 1024);

		const snapshot = openSnapshot(directory);
		t.deepEqual(snapshot.units, units);
		await verifySnapshot(snapshot);
		const contents = {fd: snapshot.memoryFd, what: directory};
		const [one, other] = [makeRam(t, {}, contents), makeRam(t, {}, contents)];
		snapshot.close();
		for (const gpa of places) t.is(one.guest.readInteger(gpa, 4), 0xfeed_0000);
		one.guest.writeInteger(0, 4, 1);
		t.is(other.guest.readInteger(0, 4), 0xfeed_0000);
		t.is(readFileSync(file).readUInt32LE(0), 0xfeed_0000);

		// What was restored and changed is saved in turn, with what was never touched.
		const again = place(t);
		await saveSnapshot(again, {shape, boot: 'other', arguments: [], units, ram: one.ram});
		const saved = readFileSync(join(again, 'memory.bin'));
		t.is(saved.readUInt32LE(0), 1);
		t.is(saved.readUInt32LE(5 * MiB + 123), 0xfeed_0000);
		t.is(saved.readUInt32LE(13 * MiB - 4), 0xfeed_0000);
	});
}

test('memory of NUMA nodes, each with a backing of its own, is one file and comes back as nodes', async (t) => {
	const directory = place(t);
	const requests = [
		{memory: vmConfig({memory: {sizeBytes: 6 * MiB}}).memory, ranges: [{gpa: 0, length: 6 * MiB}]},
		{memory: vmConfig({memory: {sizeBytes: 2 * MiB, shared: false}}).memory, ranges: [{gpa: 8 * MiB, length: 2 * MiB}]},
		{memory: vmConfig({memory: {sizeBytes: 5 * MiB}}).memory, ranges: [{gpa: 2 ** 32, length: 5 * MiB}]},
	];
	const used = [0, 8 * MiB + 4096, 2 ** 32 + 5 * MiB - 4];
	const make = (contents?: {fd: number; what: string}) => {
		const ram = allocateRam(requests, contents);
		t.teardown(() => ram.dispose());
		return {ram, guest: new MappedMemory(ram.ranges)};
	};
	const {ram, guest} = make();
	for (const [index, gpa] of used.entries()) guest.writeInteger(gpa, 4, index + 1);
	await saveSnapshot(directory, {shape, boot: 'other', arguments: [], units, ram});
	using snapshot = disposable(openSnapshot(directory));
	await verifySnapshot(snapshot);
	const again = make({fd: snapshot.memoryFd, what: directory});
	t.deepEqual(
		used.map((gpa) => again.guest.readInteger(gpa, 4)),
		[1, 2, 3],
	);
	again.guest.writeInteger(2 ** 32, 4, 4);
	const next = place(t);
	await saveSnapshot(next, {shape, boot: 'other', arguments: [], units, ram: again.ram});
	const saved = readFileSync(join(next, 'memory.bin'));
	t.deepEqual(
		[0, 6 * MiB + 4096, 8 * MiB, 13 * MiB - 4].map((at) => saved.readUInt32LE(at)),
		[1, 2, 4, 3],
	);
	t.true(statSync(join(next, 'memory.bin')).blocks * 512 <= 64 * 1024);
});

test('a new snapshot takes the place of an older one, and nothing else is left', async (t) => {
	const directory = place(t);
	await save(t, directory, 1);
	await save(t, directory, 2);
	t.is(readFileSync(join(directory, 'memory.bin')).readUInt32LE(0), 2);
	t.deepEqual(readdirSync(join(directory, '..')), ['snapshot']);
});

test('a place that holds something else is refused and left alone', async (t) => {
	const directory = place(t);
	writeFileSync(directory, 'mine');
	await t.throwsAsync(save(t, directory, 1), {code: 'SNAPSHOT_TARGET_TAKEN', message: /not a folder/});
	rmSync(directory);
	mkdirSync(directory);
	writeFileSync(join(directory, 'letter.txt'), 'mine');
	await t.throwsAsync(save(t, directory, 1), {code: 'SNAPSHOT_TARGET_TAKEN', message: /other things/});
	t.deepEqual(readdirSync(directory), ['letter.txt']);
});

test('a place that cannot be written to is an error with its cause', async (t) => {
	await t.throwsAsync(save(t, '/proc/snapshot', 1), {code: 'SNAPSHOT_WRITE_FAILED', message: /ENOENT/});
	await t.throwsAsync(save(t, join(place(t), 'no', 'such', 'folder'), 1), {code: 'SNAPSHOT_WRITE_FAILED'});
});

test('files that are missing, cut short, longer, links or no files are refused by name', async (t) => {
	const directory = place(t);
	const bad = async (file: string, spoil: (path: string) => void, code: string) => {
		await save(t, directory, 1);
		spoil(join(directory, file));
		t.throws(() => openSnapshot(directory), {code, message: new RegExp(file)}, file);
		rmSync(directory, {recursive: true});
	};
	t.throws(() => openSnapshot(join(directory, 'nowhere')), {code: 'SNAPSHOT_UNREADABLE', message: /ENOENT/});
	for (const file of ['manifest.json', 'state.json', 'memory.bin']) {
		await bad(file, (path) => rmSync(path), 'SNAPSHOT_UNREADABLE');
		await bad(file, (path) => truncateSync(path, 100), 'SNAPSHOT_DAMAGED');
		await bad(file, (path) => truncateSync(path, 2 ** 40), 'SNAPSHOT_DAMAGED');
		await bad(
			file,
			(path) => {
				copyFileSync(path, `${path}.elsewhere`);
				rmSync(path);
				symlinkSync(`${path}.elsewhere`, path);
			},
			'SNAPSHOT_UNREADABLE',
		);
		await bad(
			file,
			(path) => {
				rmSync(path);
				mkdirSync(path);
			},
			'SNAPSHOT_DAMAGED',
		);
	}
});

test('a flipped bit anywhere in manifest or state is found at once, and in memory when it is looked for', async (t) => {
	const directory = place(t);
	await save(t, directory, 1);
	for (const file of ['manifest.json', 'state.json']) {
		const path = join(directory, file);
		const whole = readFileSync(path);
		for (let at = 0; at < whole.length; at += 7) {
			const flipped = Buffer.from(whole);
			flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
			// White space between the parts of the manifest is no part of it.
			if (file === 'manifest.json' && isSameJson(whole, flipped)) continue;
			writeFileSync(path, flipped);
			const error = t.throws(() => openSnapshot(directory));
			t.true(isVmmError(error), `${file} ${at}: ${error}`);
		}
		writeFileSync(path, whole);
	}
	const path = join(directory, 'memory.bin');
	const memory = readFileSync(path);
	memory[9 * MiB] = 1;
	writeFileSync(path, memory);
	using snapshot = disposable(openSnapshot(directory));
	await t.throwsAsync(verifySnapshot(snapshot), {code: 'SNAPSHOT_DAMAGED', message: /0x800000/});
});

function isSameJson(one: Buffer, other: Buffer): boolean {
	try {
		return JSON.stringify(JSON.parse(one.toString())) === JSON.stringify(JSON.parse(other.toString()));
	} catch {
		return false;
	}
}

const disposable = (snapshot: ReturnType<typeof openSnapshot>) => ({
	...snapshot,
	[Symbol.dispose]: () => snapshot.close(),
});

const manifest: Manifest = {
	createdAt: '2026-01-01T00:00:00.000Z',
	openvmmVersion: '0.1.0',
	architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
	machine: shape,
	boot: 'other',
	arguments: [],
	state: {bytes: 10, sha256: ''},
	memory: {bytes: 13 * MiB, checksums: Buffer.alloc(7 * 4).toString('base64')},
};

test('a manifest that was made on purpose is not believed', (t) => {
	t.deepEqual(parseManifest(formatManifest(manifest), 'dir').machine, shape);
	const wrong = (change: object) => () => parseManifest(formatManifest({...manifest, ...change} as Manifest), 'dir');
	t.throws(wrong({machine: {...shape, processors: -1}}), {code: 'SNAPSHOT_DAMAGED', message: /machine/});
	t.throws(wrong({machine: {...shape, memoryBytes: 2 ** 80}}), {code: 'SNAPSHOT_DAMAGED'});
	t.throws(wrong({machine: null}), {code: 'SNAPSHOT_DAMAGED'});
	t.throws(wrong({arguments: [{}]}), {code: 'SNAPSHOT_DAMAGED', message: /arguments/});
	t.throws(wrong({state: {bytes: 'many'}}), {code: 'SNAPSHOT_DAMAGED', message: /state/});
	t.throws(wrong({memory: {bytes: 2 ** 52, checksums: ''}}), {code: 'SNAPSHOT_DAMAGED', message: /memory/});
	t.throws(wrong({architecture: 'riscv64'}), {code: 'SNAPSHOT_ARCHITECTURE'});
	t.throws(wrong({version: 2}), {code: 'SNAPSHOT_VERSION', message: /version 2, made by openvmm 0\.1\.0/});
	t.throws(() => parseManifest('[]', 'dir'), {code: 'SNAPSHOT_DAMAGED'});
});

test('a configuration of another shape is refused with each difference', async (t) => {
	const directory = place(t);
	const {config} = await save(t, directory, 1);
	using snapshot = disposable(openSnapshot(directory));
	t.notThrows(() => checkShape(config, snapshot));
	const other = vmConfig({processors: {count: 2}, memory: {sizeBytes: 26 * MiB}});
	const error = t.throws(() => checkShape(other, snapshot), {code: 'SNAPSHOT_SHAPE_DIFFERS'});
	t.regex(error?.message ?? '', /processors 1, asked for 2; memoryBytes 13631488, asked for 27262976/);
	const numa = {nodes: [{memory: {sizeBytes: 13 * MiB}}]};
	t.throws(() => checkShape(vmConfig({numa}), snapshot), {code: 'SNAPSHOT_SHAPE_DIFFERS', message: /numa none, asked/});
	const inFile = vmConfig({memory: {sizeBytes: 13 * MiB, file: '/tmp/ram'}});
	t.throws(() => checkShape(inFile, snapshot), {code: 'SNAPSHOT_MEMORY_BACKING'});
});

test('NUMA nodes are part of the shape: their size, processors and distances, and nothing of the host', (t) => {
	const nodes = [
		{memory: {sizeBytes: 8 * MiB}, vps: [0]},
		{memory: {sizeBytes: 4 * MiB}, vps: []},
	];
	const shapeOf = (options: Parameters<typeof vmConfig>[0]) => machineShape(vmConfig(options)).numa;
	const numa = shapeOf({numa: {nodes}});
	t.is(shapeOf({numa: {nodes: nodes.map((node) => ({...node, hostNode: 0}))}}), numa);
	t.not(shapeOf({numa: {nodes: nodes.toReversed()}}), numa);
	t.not(shapeOf({numa: {nodes, distances: [{from: 0, to: 1, distance: 30}]}}), numa);
	t.is(shapeOf({}), undefined);
});
