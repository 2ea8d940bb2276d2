import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {ModuleHandle} from '#devices/device-type';
import {loadDeviceModels} from '#devices/registry';
import {
	checkConfig,
	parsePcieRootComplex,
	parsePcieRootPort,
	parsePcieSwitch,
	type VmOptions,
	vmConfig,
} from '#main/config';
import {describeDevices, deviceModuleUrls, randomGenerationId} from '#main/machine';
import {describePcie, placeMachine} from '#main/pcie';
import {isVmmError} from '#support/errors';
import {needsOf} from '#vcpu-worker/cpuid';
import {asJson, checkShape} from './check-shape.ts';
import {bootToSave, machineShape} from './machine-shape.ts';
import {formatManifest, type Manifest, parseManifest} from './manifest.ts';
import {checkGivenAgain, restoredConfig} from './restored-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-restored-'));
test.after.always(() => rmSync(folder, {recursive: true}));
const module = join(folder, 'own.mjs');
writeFileSync(
	module,
	`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
	export default {
		kind: 'own',
		summary: 'A device of a user',
		options: {
			port: {type: 'number', min: 0, max: 65535, help: 'its port'},
			log: {type: 'path', use: 'stream', host: true, optional: true, help: 'its file'},
		},
		state: wire('own', {value: u8}),
		attach: {regions: ({port}) => [{space: 'pio', name: 'registers', base: port, length: 4}]},
		front: () => ({read: () => 0, write() {}}),
	};`,
);
const own: ModuleHandle = {module, options: {port: '0x500', log: join(folder, 'log')}};
const directory = 'dir';
const mib = 2 ** 20;

/** Gives the shape of such a machine, which its guest can tell. */
async function shapeOf(options: VmOptions) {
	const config = vmConfig(options);
	const types = await loadDeviceModels(deviceModuleUrls(config));
	const {memory, complexes} = placeMachine({size: config.memory.sizeBytes}, config.pcie);
	const birth = {timeMs: 0, generationId: randomGenerationId()};
	const described = [
		...describeDevices(config, memory.ram, birth, types).devices,
		...describePcie(config.pcie, complexes),
	];
	const devices = described.map((instance) => ({instance, model: types.findModel(instance.kind) as never}));
	const topology = {vps: [], apicMode: 'xapic'} as const;
	return {config, shape: machineShape(config, {topology, ram: memory.ram, devices})};
}

/** The manifest of a snapshot of such a machine, as it is read again. */
async function manifestOf(options: VmOptions, change: (machine: Record<string, unknown>) => void = () => {}) {
	const {config, shape} = await shapeOf(options);
	const machine = asJson(shape);
	change(machine);
	const memory = {bytes: 2 * mib, checksums: Buffer.alloc(4).toString('base64')};
	const written: Manifest = {
		createdAt: '2026-01-01T00:00:00.000Z',
		openvmmVersion: '0.1.0',
		architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
		machine,
		hypervisor: {kind: 'kvm', units: [], needs: needsOf([])},
		boot: bootToSave(config.boot),
		cpu: config.cpu,
		state: {bytes: 10, sha256: ''},
		memory,
		disks: {bytes: 0, checksums: '', parts: []},
	};
	return parseManifest(JSON.parse(formatManifest(written)), directory);
}

const pcie = {
	rootComplexes: [parsePcieRootComplex('rc0,end_bus=31')],
	rootPorts: [parsePcieRootPort('rc0:rp0,hotplug'), parsePcieRootPort('rc0:rp1')],
	switches: [parsePcieSwitch('rp1:sw')],
	ecamBelow4Gb: false,
};
/** Everything that shapes a machine. */
const whole: VmOptions = {
	processors: {count: 4, vpsPerSocket: 2, smt: 'off', x2apic: 'on', apicIdOffset: 3},
	memory: {sizeBytes: 128 * mib, prefetch: true, file: '/host/ram'},
	cpu: {model: 'x86-64-v2', with: ['smep'], without: ['popcnt'], tscKhz: 2_000_000},
	irqchip: 'split',
	pcie,
	boot: {kind: 'embedded', commandLine: ['hang=hlt']},
	devices: [
		...serialPorts({com1: {kind: 'none'}, com3: {kind: 'file', path: '/host/com3'}}),
		{kind: 'hpet'},
		{kind: 'battery', name: 'bat'},
		{kind: 'debugcon', options: {port: 0xe9, backend: {kind: 'file', path: '/host/out'}}},
		{kind: latchKind, options: {port: 0x510}},
		{kind: latchKind, options: {port: 0x520}},
		own,
	],
	guestActions: {reset: 'halt'},
	crashDumpPath: '/host/core',
};

test('a snapshot alone gives the machine again, but for what is the host`s', async (t) => {
	const manifest = await manifestOf(whole);
	const again: ModuleHandle = {module};
	const config = await restoredConfig({directory, manifest}, {devices: [again]});
	t.notRegex(JSON.stringify({...config, devices: config.devices.slice(0, -1)}), /host\//);
	const {shape} = await shapeOf(config);
	t.notThrows(() => checkShape(shape, config, {directory, manifest}));
	t.deepEqual(config.boot, {kind: 'embedded', commandLine: ['hang=hlt']});
	t.deepEqual<unknown, unknown>(config.cpu, whole.cpu);
	t.is(config.guestActions.reset, 'reset', 'what the host does then');
	t.deepEqual(
		config.devices.map(({name}) => name),
		['com1', 'com2', 'com3', 'com4', 'hpet', 'bat', 'debugcon', 'latch', 'latch-2', 'own'],
	);
	t.deepEqual(await restoredConfig({directory, manifest: await manifestOf(config)}, {devices: [again]}), config);
});

test('what is the host`s is given again by the name of the device', async (t) => {
	const manifest = await manifestOf(whole);
	const stderr = {kind: 'stderr'} as const;
	const given: VmOptions = {
		memory: {prefetch: true},
		paused: true,
		devices: [
			{kind: 'debugcon', options: {backend: stderr}},
			{kind: 'serial-16550', options: {number: 2, backend: 'file=/x'}},
			{module, options: {log: '/y'}},
		],
	};
	const config = await restoredConfig({directory, manifest}, given);
	const optionsOf = (name: string) => config.devices.find((device) => device.name === name)?.options;
	t.deepEqual(optionsOf('debugcon'), {port: 0xe9, backend: stderr});
	t.deepEqual(optionsOf('com2'), {number: 2, backend: {kind: 'file', path: '/x'}});
	t.deepEqual(optionsOf('com3'), {number: 3, backend: {kind: 'none'}});
	t.deepEqual(optionsOf('own'), {port: 0x500, log: '/y'});
	t.like(config, {paused: true, memory: {sizeBytes: 128 * mib, prefetch: true}, processors: {count: 4}});
	t.notThrows(async () => checkShape((await shapeOf(config)).shape, config, {directory, manifest}));
});

const changes: readonly [string, VmOptions, RegExp][] = [
	[
		'an option of the guest',
		{devices: [{kind: latchKind, options: {port: 0x700}}, own]},
		/latch\.options\.port 1296, asked for 1792/,
	],
	['a kind', {devices: [{kind: 'battery', name: 'latch', options: {}}, own]}, /CONFIG_KEY_UNKNOWN/],
	['a device too many', {devices: [{kind: 'guest-watchdog'}, own]}, /devices\.guest-watchdog none, asked for/],
	['a place', {devices: [{...own, port: 'rp0'}]}, /devices\.own\.place none, asked for/],
	['processors', {devices: [own], processors: {count: 2}}, /processors 4, asked for 2/],
];
for (const [what, given, refused] of changes) {
	test(`${what} that differs from the snapshot is refused by name`, async (t) => {
		const manifest = await manifestOf(whole);
		const restore = async () => {
			const config = await restoredConfig({directory, manifest}, given);
			const [problem] = checkConfig(config).filter(({code}) => code !== 'CONFIG_PATH_PARENT');
			if (problem) throw problem;
			checkShape((await shapeOf(config)).shape, config, {directory, manifest});
		};
		const error = await t.throwsAsync(restore);
		t.regex(isVmmError(error) ? `${error.code} ${error.message}` : String(error), refused);
	});
}

test('a device of a module that is not given again is asked for by name', async (t) => {
	const manifest = await manifestOf(whole);
	await t.throwsAsync(restoredConfig({directory, manifest}), {
		code: 'SNAPSHOT_DEVICE_MISSING',
		message: /device own of the kind own/,
	});
});

test('a device that has to have something of the host is named where that is not given again', async (t) => {
	const path = '/host/vsock';
	const {place} = {place: {base: 0xfeb0_0000, irq: 5}};
	const sockets = {kind: 'virtio-vsock-mmio', name: 'vsock', options: {...place, path}} as const;
	const manifest = await manifestOf({devices: [sockets, {kind: latchKind, options: {port: 0x510}}, own]});
	const snapshot = {directory, manifest};
	const given = {devices: [{module}]};
	const bare = await restoredConfig(snapshot, given);
	t.throws(() => checkGivenAgain(snapshot, bare), {
		code: 'SNAPSHOT_HOST_SIDE_MISSING',
		message: /not given again: vsock \(path\)$/,
	});
	const whole = {devices: [{module}, {kind: sockets.kind, name: sockets.name, options: {path}}]};
	t.notThrows(async () => checkGivenAgain(snapshot, await restoredConfig(snapshot, whole)));
});

type Devices = Record<string, {kind: string; options: Record<string, unknown>}>;
const lies: readonly [string, (devices: Devices) => void, string][] = [
	[
		'a backend',
		({com1}) => Object.assign(com1?.options ?? {}, {backend: {kind: 'file', path: '/etc/x'}}),
		'com1.options.backend',
	],
	[
		'a backend in words',
		({com1}) => Object.assign(com1?.options ?? {}, {backend: 'file=/etc/x'}),
		'com1.options.backend',
	],
	['words for a number', ({latch}) => Object.assign(latch?.options ?? {}, {port: '0x510'}), 'latch.options.port'],
	['a number out of range', ({latch}) => Object.assign(latch?.options ?? {}, {port: 1e6}), 'latch.options.port'],
	[
		'options that there are none of',
		({latch}) => Object.assign(latch?.options ?? {}, {'\u001b[2J': 1}),
		'latch.options..\\[2J',
	],
	['a module`s file', (devices) => Object.assign(devices['own']?.options ?? {}, {log: '/etc/x'}), 'own.options.log'],
];
for (const [what, lie, field] of lies) {
	test(`a manifest that gives ${what} reaches nothing of the host`, async (t) => {
		const manifest = await manifestOf(whole, (machine) => lie(machine['devices'] as Devices));
		await t.throwsAsync(restoredConfig({directory, manifest}, {devices: [own]}), {
			code: 'SNAPSHOT_DAMAGED',
			message: new RegExp(`no usable machine\\.devices\\.${field}$`),
		});
	});
}

test('a manifest cannot make a machine of parts that only a machine makes, nor hide one behind the name of another', async (t) => {
	const add = (name: string, kind: string) => (machine: Record<string, unknown>) => {
		(machine['devices'] as Devices)[name] = {kind, options: {}};
	};
	const config = await restoredConfig({directory, manifest: await manifestOf({}, add('x', 'pcie-root-port'))});
	t.deepEqual(
		checkConfig(config).map(({code}) => code),
		['CONFIG_DEVICE_KIND'],
	);
	const manifest = await manifestOf({}, add('rtc', 'battery'));
	const {shape} = await shapeOf(await restoredConfig({directory, manifest}));
	t.throws(() => checkShape(shape, vmConfig(), {directory, manifest}), {
		message: /devices\.rtc\.kind "battery", asked for "cmos-rtc"/,
	});
	for (const name of ['', '\n', 'x'.repeat(200)])
		await t.throwsAsync(manifestOf({}, add(name, 'latch')), {code: 'SNAPSHOT_DAMAGED', message: /machine\.devices\./});
});

test('NUMA nodes come back, and Linux is named again', async (t) => {
	const numa = {
		nodes: [
			{memory: {sizeBytes: 64 * mib}, vps: [0]},
			{memory: {sizeBytes: 32 * mib}, vps: [], hostNode: 0},
		],
	};
	const boot = {kind: 'linux', kernel: '/host/k', commandLine: ['ro'], defaultWords: false} as const;
	const manifest = await manifestOf({numa, boot, devices: []});
	const config = await restoredConfig({directory, manifest});
	t.is(config.memory.sizeBytes, 96 * mib);
	t.deepEqual(
		config.numa?.nodes.map(({vps, hostNode}) => [vps, hostNode]),
		[
			[[0], undefined],
			[[], undefined],
		],
	);
	t.deepEqual([config.boot, config.devices], [{kind: 'none'}, []]);
	t.deepEqual(manifest.boot, {kind: 'linux', commandLine: ['ro'], isBare: true});
	t.deepEqual((await restoredConfig({directory, manifest}, {boot})).boot, boot);
});
