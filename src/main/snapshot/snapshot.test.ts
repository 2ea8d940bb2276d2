import {createHash} from 'node:crypto';
import {
	copyFileSync,
	cpSync,
	existsSync,
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
import {getHeapStatistics} from 'node:v8';
import test, {type ExecutionContext} from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import type {DescribedDevice} from '#devices/pci/fabric';
import {deviceRegistry} from '#devices/registry';
import {exampleConfig} from '#devices/testing';
import {vmConfig} from '#main/config';
import {allocateRam} from '#main/memory';
import {isVmmError, VmmError} from '#support/errors';
import {unchecked} from '#support/trust';
import {hostCpu} from '#vcpu-worker/cpuid';
import {asJson, checkShape} from './check-shape.ts';
import {makeFolder} from './folder.ts';
import {machineShape} from './machine-shape.ts';
import {formatManifest, type Manifest, parseManifest} from './manifest.ts';
import {openSnapshot} from './open-snapshot.ts';
import {saveSnapshot} from './save-snapshot.ts';
import {stateLimits} from './state-limits.ts';
import {restingMachine} from './testing/index.ts';
import {verifySnapshot} from './verify-snapshot.ts';

const MiB = 2 ** 20;
const units = {time: 5, devices: {com1: 'text'}};
/** More than the state of such a machine. */
const most = {bytes: 2 ** 20, values: 100};

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
	return {ram, guest: new MappedMemory(ram.memory), config};
}

const shape = {
	processors: 1,
	memoryBytes: 13 * MiB,
	topology: {smt: 'auto', x2apic: 'auto', apicIdOffset: 0},
	irqchip: 'kernel',
	devices: {},
};
const boot = {kind: 'linux', commandLine: ['quiet']} as const;
/** Hypervisor of the machines here. */
const hypervisor = {
	kind: 'kvm',
	units: ['kvmclock'],
	needs: {
		vendor: 'GenuineIntel',
		features: new Map([['CPUID.1.0:ECX', 1]]),
		xsave: new Map([['2', 576]]),
		addressBits: 40,
	},
};
const places = [0, 5 * MiB + 123, 2 ** 32 + 4096, 2 ** 32 + 7 * MiB - 4];

function place(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-snapshot-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return join(folder, 'snapshot');
}

async function save(t: ExecutionContext, directory: string, value: number) {
	const {ram, guest, config} = makeRam(t);
	for (const gpa of places) guest.writeU32(gpa, value);
	await saveSnapshot(directory, restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram}));
	return {config, ram};
}

for (const shared of [true, false]) {
	test(`memory comes back as it was, sparse, and copies never touch it, ${shared ? 'shared' : 'private'} pages`, async (t) => {
		const directory = place(t);
		const {ram, guest} = makeRam(t, {memory: {shared}});
		for (const gpa of places) guest.writeU32(gpa, 0xfeed_0000);
		const progress: number[] = [];
		await saveSnapshot(directory, restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram}), {
			progress: (done) => void progress.push(done),
		});
		t.is(progress.at(-1), 13 * MiB);
		const file = join(directory, 'memory.bin');
		t.is(statSync(file).size, 13 * MiB);
		t.true(statSync(file).blocks * 512 <= 64 * 1024);

		const snapshot = openSnapshot(directory);
		t.deepEqual(await snapshot.readUnits(most), units);
		await verifySnapshot(snapshot);
		const contents = {fd: snapshot.memoryFd, what: directory};
		const [one, other] = [makeRam(t, {}, contents), makeRam(t, {}, contents)];
		snapshot.close();
		for (const gpa of places) t.is(unchecked(one.guest.readU32(gpa)), 0xfeed_0000);
		one.guest.writeU32(0, 1);
		t.is(unchecked(other.guest.readU32(0)), 0xfeed_0000);
		t.is(readFileSync(file).readUInt32LE(0), 0xfeed_0000);

		// The restored and changed memory is saved in turn, with the memory that was never touched.
		const again = place(t);
		await saveSnapshot(again, restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram: one.ram}));
		const saved = readFileSync(join(again, 'memory.bin'));
		t.is(saved.readUInt32LE(0), 1);
		t.is(saved.readUInt32LE(5 * MiB + 123), 0xfeed_0000);
		t.is(saved.readUInt32LE(13 * MiB - 4), 0xfeed_0000);
	});
}

test('a snapshot that is given up, at whatever moment, leaves the older one whole and nothing else', async (t) => {
	const directory = place(t);
	await save(t, directory, 7);
	const before = readdirSync(join(directory, '..'), {recursive: true});
	const {ram} = makeRam(t);
	const machine = restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram});
	const enough = new Error('enough');
	type When = (abort: () => void) => unknown;
	const moments: readonly {readonly begun?: When; readonly written?: When}[] = [
		{begun: (abort) => abort()},
		{begun: setImmediate},
		{written: (abort) => abort()},
		// It is not on the disk yet.
		{written: setImmediate},
	];
	for (const {begun, written} of moments) {
		const asked = new AbortController();
		const abort = () => asked.abort(enough);
		begun?.(abort);
		const progress = () => void written?.(abort);
		await t.throwsAsync(saveSnapshot(directory, machine, {progress, signal: asked.signal}), {message: 'enough'});
		t.deepEqual(readdirSync(join(directory, '..'), {recursive: true}), before);
	}
	using snapshot = disposable(openSnapshot(directory));
	await verifySnapshot(snapshot);
	t.is(readFileSync(join(directory, 'memory.bin')).readUInt32LE(0), 7);
});

test('comparing memory with its checksums can be given up', async (t) => {
	const directory = place(t);
	await save(t, directory, 7);
	using snapshot = disposable(openSnapshot(directory));
	const asked = new AbortController();
	const progress = () => asked.abort(new Error('enough'));
	const verifying = verifySnapshot(snapshot, {progress, signal: asked.signal});
	await t.throwsAsync(verifying, {code: 'OPERATION_ABORTED', message: /verify-snapshot .*enough/});
});

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
		return {ram, guest: new MappedMemory(ram.memory)};
	};
	const {ram, guest} = make();
	for (const [index, gpa] of used.entries()) guest.writeU32(gpa, index + 1);
	await saveSnapshot(directory, restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram}));
	using snapshot = disposable(openSnapshot(directory));
	await verifySnapshot(snapshot);
	const again = make({fd: snapshot.memoryFd, what: directory});
	t.deepEqual(
		used.map((gpa) => unchecked(again.guest.readU32(gpa))),
		[1, 2, 3],
	);
	again.guest.writeU32(2 ** 32, 4);
	const next = place(t);
	await saveSnapshot(next, restingMachine({shape, hypervisor, boot, cpu: hostCpu, units, ram: again.ram}));
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

test('a place is one save`s at a time, by whatever path', (t) => {
	const directory = place(t);
	const alias = join(directory, '..', 'alias');
	symlinkSync('.', alias);
	const first = makeFolder(directory);
	t.throws(() => makeFolder(join(alias, 'snapshot')), {code: 'SNAPSHOT_TARGET_TAKEN'});
	t.true(existsSync(first.path));
	first.close();
	makeFolder(join(alias, 'snapshot')).close();
	t.deepEqual(readdirSync(join(directory, '..')), ['alias']);
});

test('a place that cannot be written to is an error with its cause', async (t) => {
	await t.throwsAsync(save(t, '/proc/snapshot', 1), {code: 'SNAPSHOT_WRITE_FAILED', message: /ENOENT/});
	await t.throwsAsync(save(t, join(place(t), 'no', 'such', 'folder'), 1), {code: 'SNAPSHOT_WRITE_FAILED'});
});

test('files that are missing, cut short, longer, links or no files are refused by name', async (t) => {
	const whole = place(t);
	await save(t, whole, 1);
	const bad = (file: string, spoil: (path: string) => void, code: string) => {
		const directory = place(t);
		cpSync(whole, directory, {recursive: true});
		openSnapshot(directory).close();
		spoil(join(directory, file));
		t.throws(() => openSnapshot(directory), {code, message: new RegExp(file)}, file);
	};
	t.throws(() => openSnapshot(join(whole, 'nowhere')), {code: 'SNAPSHOT_UNREADABLE', message: /ENOENT/});
	for (const file of ['manifest.json', 'state.json', 'memory.bin', 'disks.bin']) {
		bad(file, (path) => rmSync(path), 'SNAPSHOT_UNREADABLE');
		bad(file, (path) => truncateSync(path, 100), 'SNAPSHOT_DAMAGED');
		bad(file, (path) => truncateSync(path, 2 ** 40), 'SNAPSHOT_DAMAGED');
		bad(
			file,
			(path) => {
				copyFileSync(path, `${path}.elsewhere`);
				rmSync(path);
				symlinkSync(`${path}.elsewhere`, path);
			},
			'SNAPSHOT_UNREADABLE',
		);
		bad(
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
			const error = await t.throwsAsync(openAll(directory));
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

/** Opens a snapshot and reads its state. */
async function openAll(directory: string): Promise<void> {
	using snapshot = disposable(openSnapshot(directory));
	await snapshot.readUnits(most);
}

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
	hypervisor,
	boot,
	cpu: hostCpu,
	state: {bytes: 10, sha256: ''},
	memory: {bytes: 13 * MiB, checksums: Buffer.alloc(7 * 4).toString('base64')},
	disks: {bytes: 0, checksums: '', parts: []},
};

const port = {name: 'rp0', rootComplex: 'rc0', hotplug: false, acs: 0, pasid: false};
const pcie = {rootComplexes: [], rootPorts: [port], switches: [], ecamBelow4Gb: false};
/** Shapes that no machine can be asked for by, and the field that is named. */
const lies: readonly (readonly [object, RegExp])[] = [
	[{processors: -1}, /machine\.processors$/],
	[{processors: '2'}, /machine\.processors$/],
	[{topology: undefined}, /machine\.topology$/],
	[{topology: {...shape.topology, smt: 'maybe'}}, /machine\.topology\.smt$/],
	[{irqchip: ['kernel']}, /machine\.irqchip$/],
	[{numa: {nodes: {length: 1e9}, distances: []}}, /machine\.numa\.nodes$/],
	[{numa: {nodes: [{bytes: 1, vps: [null]}], distances: []}}, /machine\.numa\.nodes\.0\.vps\.0$/],
	[{pcie: {...pcie, rootPorts: [{...port, devfn: 1.5}]}}, /machine\.pcie\.rootPorts\.0\.devfn$/],
	[{pcie: {...pcie, switches: undefined}}, /machine\.pcie\.switches$/],
	[{devices: []}, /machine\.devices$/],
	[{devices: {com1: null}}, /machine\.devices\.com1$/],
	[{devices: {com1: {kind: 5, options: {}}}}, /machine\.devices\.com1\.kind$/],
	[{devices: {com1: {kind: 'latch', options: []}}}, /machine\.devices\.com1\.options$/],
	[{devices: {com1: {kind: 'latch', options: {}, place: {on: 'rp0'}}}}, /machine\.devices\.com1\.place\.devfn$/],
];

test('a manifest that was made on purpose is not believed', (t) => {
	t.deepEqual(parseManifest(JSON.parse(formatManifest(manifest)), 'dir').machine, shape);
	const wrong = (change: object) => () =>
		parseManifest(JSON.parse(formatManifest({...manifest, ...change} as Manifest)), 'dir');
	for (const [change, field] of lies)
		t.throws(wrong({machine: {...shape, ...change}}), {code: 'SNAPSHOT_DAMAGED', message: field});
	t.throws(wrong({machine: {...shape, memoryBytes: 2 ** 80}}), {code: 'SNAPSHOT_DAMAGED'});
	t.throws(wrong({machine: null}), {code: 'SNAPSHOT_DAMAGED'});
	t.throws(wrong({boot: 'embedded'}), {code: 'SNAPSHOT_DAMAGED', message: /no usable boot$/});
	t.throws(wrong({boot: {kind: 'linux', commandLine: [5]}}), {
		code: 'SNAPSHOT_DAMAGED',
		message: /boot\.commandLine\.0/,
	});
	t.throws(wrong({state: {bytes: 'many'}}), {code: 'SNAPSHOT_DAMAGED', message: /state/});
	t.throws(wrong({memory: {bytes: 2 ** 52, checksums: ''}}), {code: 'SNAPSHOT_DAMAGED', message: /memory/});
	const part = {device: 'it', name: 'disk/mem', bytes: 4096};
	const checksums = Buffer.alloc(4).toString('base64');
	t.notThrows(wrong({disks: {bytes: 4096, checksums, parts: [part]}}));
	for (const [change, field] of [
		[{bytes: 8192}, 'bytes'],
		[{parts: [{...part, bytes: 100}], bytes: 100}, 'parts'],
		[{parts: [{...part, bytes: -4096}]}, 'parts'],
		[{parts: [{...part, name: 7}]}, 'parts'],
		[{parts: new Array(5000).fill({...part, bytes: 0})}, 'parts'],
		[{checksums: ''}, 'checksums'],
	] as const) {
		const message = new RegExp(`disks\\.${field}`);
		t.throws(wrong({disks: {bytes: 4096, checksums, parts: [part], ...change}}), {code: 'SNAPSHOT_DAMAGED', message});
	}
	t.throws(wrong({architecture: 'riscv64'}), {code: 'SNAPSHOT_ARCHITECTURE'});
	t.throws(wrong({cpu: {...hostCpu, model: 'any'}}), {code: 'SNAPSHOT_DAMAGED', message: /cpu\.model/});
	t.throws(wrong({cpu: {...hostCpu, without: ['a b']}}), {code: 'SNAPSHOT_DAMAGED', message: /cpu\.without/});
	t.throws(wrong({hypervisor: {...hypervisor, kind: 7}}), {code: 'SNAPSHOT_DAMAGED', message: /hypervisor/});
	for (const change of [{version: {toString: 1}}, {version: 'x'.repeat(1e6)}, {openvmmVersion: {toString: 1}}])
		t.throws(wrong(change), {code: 'SNAPSHOT_DAMAGED', message: /has no usable version$/});
	for (const change of [{version: 1, openvmmVersion: '\u001b'.repeat(1e6)}, {architecture: '\u001b'.repeat(1e6)}]) {
		const {message = '', remedy = ''} = t.throws(wrong(change), {instanceOf: VmmError}) ?? {};
		t.regex(`${message}${remedy}`, /^[ -~…]{1,600}$/);
	}
	for (const version of [1, 2])
		t.throws(wrong({version}), {
			code: 'SNAPSHOT_VERSION',
			message: new RegExp(`version ${version}, made by openvmm 0\\.1\\.0`),
		});
	t.throws(() => parseManifest([], 'dir'), {code: 'SNAPSHOT_DAMAGED'});
});

const shapeOf = (options: Parameters<typeof vmConfig>[0]) =>
	machineShape(vmConfig(options), {topology: {vps: [], apicMode: 'xapic'}, ram: [], devices: []});

test('a configuration of another shape is refused with each difference', (t) => {
	const machine = asJson(shapeOf({memory: {sizeBytes: 13 * MiB}}));
	const check = (options: Parameters<typeof vmConfig>[0]) => () =>
		checkShape(shapeOf(options), vmConfig(options), {
			directory: 'dir',
			manifest: {...manifest, machine, machineText: JSON.stringify(machine)},
		});
	t.notThrows(check({memory: {sizeBytes: 13 * MiB}}));
	const other = {processors: {count: 2}, memory: {sizeBytes: 26 * MiB}};
	const error = t.throws(check(other), {code: 'SNAPSHOT_SHAPE_DIFFERS'});
	t.regex(error?.message ?? '', /processors 1, asked for 2; memoryBytes 13631488, asked for 27262976/);
	const numa = {nodes: [{memory: {sizeBytes: 13 * MiB}}]};
	t.throws(check({numa}), {code: 'SNAPSHOT_SHAPE_DIFFERS', message: /numa none, asked/});
	t.throws(check({memory: {sizeBytes: 13 * MiB, file: '/tmp/ram'}}), {code: 'SNAPSHOT_MEMORY_BACKING'});
	t.throws(check({memory: {sizeBytes: 13 * MiB, hugepages: true}}), {code: 'SNAPSHOT_MEMORY_BACKING'});
});

test('NUMA nodes are part of the shape: their size, processors and distances, and nothing of the host', (t) => {
	const nodes = [
		{memory: {sizeBytes: 8 * MiB}, vps: [0]},
		{memory: {sizeBytes: 4 * MiB}, vps: []},
	];
	const {numa} = shapeOf({numa: {nodes}});
	t.deepEqual(shapeOf({numa: {nodes: nodes.map((node) => ({...node, hostNode: 0}))}}).numa, numa);
	t.notDeepEqual(shapeOf({numa: {nodes: nodes.toReversed()}}).numa, numa);
	t.notDeepEqual(shapeOf({numa: {nodes, distances: [{from: 0, to: 1, distance: 30}]}}).numa, numa);
	t.is(shapeOf({}).numa, undefined);
});

test('a shape that was made up is refused in a line that a person can read', (t) => {
	const shape = shapeOf({memory: {sizeBytes: 13 * MiB}});
	const refuse = (change: object) => {
		const machine = {...asJson(shape), ...change};
		const check = () =>
			checkShape(shape, vmConfig(), {
				directory: 'dir',
				manifest: {...manifest, machine, machineText: JSON.stringify(machine)},
			});
		return t.throws(check, {code: 'SNAPSHOT_SHAPE_DIFFERS'})?.message ?? '';
	};
	t.regex(refuse({topology: 5}), /topology 5, asked for \{"smt"/);
	t.regex(refuse({devices: [1]}), /devices \[1\], asked for \{\}/);
	t.regex(refuse({'\u001b[2J': '\u009b2J'}), /: \?\[2J "\?2J", asked for none$/);
	const many = Object.fromEntries(Array.from({length: 1e5}, (_, index) => [`x${index}`, 'y'.repeat(10)]));
	t.regex(refuse({devices: many}), /and 99994 more$/);
	t.true(refuse({devices: many, topology: {smt: 'y'.repeat(1e6)}}).length < 2000);
});

/** Makes a snapshot whose state is this text, with checksums that fit. */
function withState(t: ExecutionContext, text: string): string {
	const directory = place(t);
	mkdirSync(directory);
	writeFileSync(join(directory, 'memory.bin'), '');
	truncateSync(join(directory, 'memory.bin'), manifest.memory.bytes);
	writeFileSync(join(directory, 'disks.bin'), '');
	writeFileSync(join(directory, 'state.json'), text);
	const state = {bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex')};
	writeFileSync(join(directory, 'manifest.json'), formatManifest({...manifest, state}));
	return directory;
}

/** Limits of a machine of 64 processors. */
const limits = stateLimits(
	64,
	{bytes: 2 ** 16, values: 2 ** 10},
	deviceRegistry.types.map((model): DescribedDevice => {
		const {kind} = model;
		return {model, instance: {name: kind, kind, config: exampleConfig(model)}};
	}),
);
const objects = (bytes: number) => `{"units":[${'{},'.repeat((bytes - 16) / 3)}{}]}`;
const hostile: [string, () => string, RegExp | undefined][] = [
	['objects of the most bytes there may be', () => objects(limits.bytes), /more than \d+ values/],
	['as many as are parsed in place', () => objects(2 ** 20), /more than \d+ values/],
	['ten times as many', () => objects(10 * limits.bytes), /has \d+ bytes, and such a machine's has \d+ at most/],
	['deep nesting', () => `{"units":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, /nested more than/],
	['deep nesting of a text that never ends', () => '['.repeat(1e6), /nested more than/],
	['one string', () => `{"units":{"a":"${'\\"'.repeat((limits.bytes - 40) / 2)}"}}`, undefined],
	['a string without an end', () => `{"units":{"a":"${'\\'.repeat(2 ** 20)}`, /no JSON/],
	['many keys', () => `{"units":{${'"a":1,'.repeat(1e5)}"b":1}}`, /more than \d+ values/],
	['equal keys', () => '{"units":{"a":1,"a":2},"units":{"a":3}}', undefined],
	['keys that objects have', () => '{"units":{"__proto__":{"a":1},"constructor":2}}', undefined],
	['numbers', () => `{"units":[${'1,'.repeat(1e6)}1]}`, /more than \d+ values/],
];
for (const [what, text, cause] of hostile) {
	test(`a state of ${what} fails its own restore at most`, async (t) => {
		const directory = withState(t, text());
		using snapshot = disposable(openSnapshot(directory));
		const before = getHeapStatistics().used_heap_size;
		const read = snapshot.readUnits(limits);
		if (cause === undefined) t.truthy(await read);
		else await t.throwsAsync(read, {code: 'SNAPSHOT_DAMAGED', message: cause});
		const taken = getHeapStatistics().used_heap_size - before;
		t.true(taken < 128 * MiB, `${taken} bytes of heap`);
	});
}

test('a manifest of too many values is refused before it is parsed', (t) => {
	const directory = withState(t, '{}');
	for (const [text, cause] of [
		[`[${'{},'.repeat(2 ** 20)}{}]`, /manifest.json has more than \d+ values/],
		['['.repeat(2 ** 20), /manifest.json is nested/],
		[`"${'a'.repeat(2 ** 23)}"`, /manifest.json has \d+ bytes/],
	] as const) {
		writeFileSync(join(directory, 'manifest.json'), text);
		t.throws(() => openSnapshot(directory), {code: 'SNAPSHOT_DAMAGED', message: cause});
	}
});
