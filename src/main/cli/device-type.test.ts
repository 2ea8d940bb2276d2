import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {device as acpiDevice, name, string} from '#devices/acpi/aml';
import {deviceType} from '#devices/device-type';
import {deviceRegistry} from '#devices/registry';
import {oneThreadMachine, testConformance} from '#devices/testing';
import {buildAcpiTables} from '#main/acpi';
import {checkConfig, linuxHost, type VmConfig} from '#main/config';
import {type InspectedMachine, machineTree} from '#main/inspect';
import {describeDevices, deviceTables} from '#main/machine';
import {allocateRam} from '#main/memory';
import {asJson, checkShape, machineShape, openSnapshot, restoredConfig, saveSnapshot} from '#main/snapshot';
import {restingMachine} from '#main/snapshot/testing';
import {createProcessorTopology} from '#main/topology';
import {inspectTree, toJson} from '#support/inspect';
import {f64, u8, wire} from '#support/wire';
import {hostCpu, needsOf} from '#vcpu-worker/cpuid';
import {devicesPage} from './devices-page.ts';
import {allFlags} from './flags.ts';
import {helpText} from './help.ts';
import {parseFlags} from './parse.ts';
import {referencePage} from './reference-page.ts';
import {toConfig, toOptions} from './to-config.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-device-type-'));
test.after.always(() => rmSync(directory, {recursive: true}));

const LampState = wire('lamp', {level: u8, switched: f64});

/** A kind of device that nothing outside of this file knows. */
const lamp = deviceType({
	kind: 'lamp',
	summary: 'A lamp that the guest dims',
	state: LampState,
	attach: {regions: ({port}: {readonly port: number}) => [{space: 'pio', name: 'dimmer', base: port, length: 1}]},
	front: (_config, state) => ({
		read: () => state.level,
		write: (_region, _offset, _size, value) => {
			state.level = value;
			state.switched++;
		},
	}),
	options: {
		port: {type: 'number', min: 0, max: 0xffff, example: 0x620, help: 'its port'},
		colour: {type: 'choice', choices: ['red', 'green'], default: 'red', help: 'what it shines in'},
		log: {type: 'path', use: 'stream', host: true, optional: true, help: 'where its owner reads of it'},
	},
	flags: {
		rows: [{name: 'lamp', value: 'PORT,COLOUR', help: 'a lamp', repeat: true}],
		devices: (given) =>
			given('lamp').map((text) => {
				const [port, colour] = text.split(',');
				return {options: {port, colour}};
			}),
	},
	acpi: (_config, names) => ({device: acpiDevice(names.next('L'), name('_HID', string('LAMP0001')))}),
	words: ({level}) => ({light: level === 0 ? 'dark' : 'lit'}),
	smbios: ({port}) => [{type: 200, body: Uint8Array.of(port & 0xff, port >>> 8)}],
});

const registry = deviceRegistry.with([lamp]);
const types = {...registry, own: []};
const bytes = 2 ** 21;
const configOf = (...words: string[]) => toConfig(parseFlags(words, allFlags(registry)), {}, registry).vm;
const ramRange = {gpa: 0, length: bytes};

/** The devices of a machine that is configured so. */
const describe = (config: VmConfig) =>
	describeDevices(config, [ramRange], {timeMs: 0, generationId: '00'.repeat(16)}, types).devices;

/** Gives the shape of such a machine, which its guest can tell. */
function shapeOf(config: VmConfig) {
	const devices = describe(config).map((instance) => {
		const model = registry.findModel(instance.kind);
		if (model === undefined) throw new Error(instance.kind);
		return {instance, model};
	});
	return machineShape(config, {topology: {vps: [], apicMode: 'xapic'}, ram: [ramRange], devices});
}

for (const type of registry.types.filter(({kind}) => kind === lamp.kind)) testConformance(test, type);

test('a device type that is added to the registry has its flags, with help, and its place in the reference', (t) => {
	const known = allFlags(registry);
	t.regex(helpText(undefined, known), /^ +--lamp PORT,COLOUR +a lamp$/m);
	t.true(referencePage(undefined, known).includes('- `--lamp PORT,COLOUR`: a lamp\n'));
	const page = devicesPage(registry);
	for (const shown of [
		'| `lamp` | A lamp that the guest dims |  | `--lamp` | ACPI, SMBIOS |',
		'- `colour=red|green`: what it shines in [default red]',
	])
		t.true(page.includes(shown), shown);
	const {devices} = configOf('--lamp', '0x620,green', '--lamp', '0x621,red');
	t.deepEqual(devices.slice(-2), [
		{kind: 'lamp', name: 'lamp', options: {port: 0x620, colour: 'green'}},
		{kind: 'lamp', name: 'lamp-2', options: {port: 0x621, colour: 'red'}},
	]);
	const wrong = checkConfig(configOf('--lamp', '0x620,blue'), linuxHost, registry);
	t.deepEqual(
		wrong.map(({message}) => message),
		['lamp colour "blue" is not valid'],
	);
});

test('the firmware tables tell of it', (t) => {
	const {acpi, smbios} = deviceTables(describe(configOf('--lamp', '0x620,red')), registry.types);
	const topology = createProcessorTopology({processors: 1, smt: 'off', x2apic: 'auto', apicIdOffset: 0});
	const {pieces} = buildAcpiTables({topology, devices: acpi});
	const dsdt = pieces.find(({name: piece}) => piece === 'ACPI DSDT')?.data ?? new Uint8Array();
	t.regex(Buffer.from(dsdt).toString('latin1'), /L000._HID.LAMP0001/s);
	t.deepEqual(
		smbios.filter(({type}) => type === 200).map(({body}) => [...body]),
		[[0x20, 0x06]],
	);
});

test('a snapshot brings it back, without what is the host`s, and refuses another', async (t) => {
	const config = configOf('-m', '2M', '--lamp', '0x620,green');
	const withLog = config.devices.map((handle) =>
		handle.name === 'lamp' ? {...handle, options: {...handle.options, log: '/host/log'}} : handle,
	);
	const ram = allocateRam([{memory: config.memory, ranges: [ramRange]}]);
	t.teardown(() => ram.dispose());
	const saved = join(directory, 'snapshot');
	const resting = restingMachine({
		shape: asJson(shapeOf({...config, devices: withLog})),
		hypervisor: {kind: 'kvm', units: [], needs: needsOf([])},
		boot: {kind: 'embedded'},
		cpu: hostCpu,
		units: {},
		ram,
	});
	await saveSnapshot(saved, resting);
	const snapshot = openSnapshot(saved);
	t.teardown(() => snapshot.close());
	const {boot, asked} = snapshot.manifest;
	const restore = (...words: string[]) => {
		const given = parseFlags(words, allFlags(registry));
		const from = {boot, hasDevice: (device: string) => asked.devices.has(device)};
		return restoredConfig(snapshot, toOptions(given, {}, from, registry).vm, registry);
	};
	const restored = await restore();
	t.deepEqual(restored.devices, config.devices);
	t.notThrows(() => checkShape(shapeOf(restored), restored, snapshot));
	const other = await restore('--lamp', '0x620,red');
	t.throws(() => checkShape(shapeOf(other), other, snapshot), {
		code: 'SNAPSHOT_SHAPE_DIFFERS',
		message: /devices\.lamp\.options\.colour "green", asked for "red"/,
	});
	await t.throwsAsync(restoredConfig(snapshot), {code: 'SNAPSHOT_DEVICE_MISSING', message: /lamp of the kind lamp/});
});

test('inspect shows it', async (t) => {
	const config = configOf('--lamp', '0x620,green');
	const {machine, bus} = oneThreadMachine(describe(config), {findModel: registry.findModel});
	bus.writePort(0x620, 1, 7);
	const devices = {threads: []};
	const inspected = {
		config,
		machine,
		devices,
		state: () => 'running',
		isHalted: () => false,
	} as unknown as InspectedMachine;
	const shown = toJson(await inspectTree(machineTree(inspected), 'vm/devices/lamp', {depth: 2, timeoutMs: 50}));
	t.like(shown, {
		summary: lamp.summary,
		words: {light: 'lit'},
		config: {port: 0x620, colour: 'green'},
		state: {level: 7, switched: 1},
	});
});
