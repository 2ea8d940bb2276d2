import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {batteryKind} from '#devices/chipset/battery';
import {latchKind} from '#devices/chipset/latch';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {DeviceHandle, KindHandle, ModuleHandle} from '#devices/device-type';
import {loadDeviceModels} from '#devices/registry';
import {
	type MemoryConfig,
	numaNodes,
	type ProcessorConfig,
	type VmConfig,
	type VmOptions,
	vmConfig,
} from '#main/config';
import {deviceModuleUrls} from '#main/machine';
import {placeMachine} from '#main/pcie';
import {asJson, checkShape, type MachineShape, machineShape} from '#main/snapshot';
import {createProcessorTopology} from '#main/topology';
import {isVmmError} from '#support/errors';
import {describeMachine} from './wire-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-shape-'));
test.after.always(() => rmSync(folder, {recursive: true}));

/** A module whose device has a port and a file, of which only the port is the guest's. */
function moduleAt(name: string, base = 'port'): string {
	const path = join(folder, name);
	writeFileSync(
		path,
		`import {u8, wire} from '${import.meta.resolve('#support/wire')}';
		export default {
			kind: 'own', summary: 'Own', state: wire('own', {value: u8}),
			options: {
				port: {type: 'number', min: 0, max: 65535, help: 'its port'},
				log: {type: 'path', use: 'stream', host: true, help: 'its file'},
				more: {type: 'text', optional: true, help: 'more'},
			},
			attach: {regions: ({port}) => [{space: 'pio', name: 'registers', base: ${base}, length: 4}]},
			front: () => ({read: () => 0, write() {}}),
		};`,
	);
	return path;
}

const mib = 2 ** 20;
const path = moduleAt('own.mjs');
const own: ModuleHandle = {module: path, options: {port: '0x500', log: 'a.log'}};
const latch: KindHandle = {kind: latchKind, options: {port: 0x510}};
const debugExit: KindHandle = {kind: 'debug-exit', options: {port: 0xf4}};
const debugcon: KindHandle = {kind: 'debugcon', options: {port: 0xe9, backend: 'stderr'}};
const port = {rootComplex: 'rc0', name: 'rp0', hotplug: false, acs: 0, pasid: false};
const complex = {
	...{name: 'rc0', segment: 0, startBus: 0, endBus: 15, preserveBars: false},
	...{lowMmioBytes: 64 * mib, highMmioBytes: 64 * mib},
};
const pcie = {rootComplexes: [complex], rootPorts: [port], switches: [], ecamBelow4Gb: false};
const nodes = [
	{memory: {sizeBytes: 64 * mib}, vps: [0]},
	{memory: {sizeBytes: 64 * mib}, vps: [1]},
];

/** The machine that was saved; what is not said here is as by default. */
const saved = {
	processors: {count: 2},
	memory: {sizeBytes: 128 * mib},
	pcie,
	devices: [...serialPorts(), debugcon, debugExit, own, latch],
} satisfies VmOptions;

/** Gives the shape of a machine so configured, as a snapshot keeps it. */
async function shapeOf(options: VmOptions): Promise<{shape: MachineShape; config: VmConfig}> {
	const config = vmConfig(options);
	const models = await loadDeviceModels(deviceModuleUrls(config));
	const {count, ...processors} = config.processors;
	const topology = createProcessorTopology({processors: count, ...processors});
	const size = numaNodes(config).map(({memory}) => memory.sizeBytes);
	const {memory, complexes} = placeMachine({size}, config.pcie);
	const described = describeMachine(config, {ram: memory.ram, complexes}, {timeMs: Date.now()}, models).devices;
	const devices = described.map((instance) => {
		const model = models.findModel(instance.kind);
		if (model === undefined) throw new TypeError(`no ${instance.kind}`);
		return {instance, model};
	});
	return {shape: machineShape(config, {topology, ram: memory.ram, devices}), config};
}

/** Gives the objection of a machine of these options to the snapshot of another; undefined where it is the same to its guest. */
async function refusal(options: VmOptions, of: VmOptions = saved): Promise<string | undefined> {
	const before = await shapeOf(of);
	const machine = asJson(before.shape);
	const {shape, config} = await shapeOf(options);
	try {
		checkShape(shape, config, {directory: 'dir', manifest: {machine} as never});
		return undefined;
	} catch (error) {
		if (!isVmmError(error) || !error.code.startsWith('SNAPSHOT_')) throw error;
		return error.message;
	}
}

/** Changed options, and how they are refused; with a reason instead where only the host can tell. */
type Case = readonly [change: VmOptions, refused: RegExp | {readonly hostOnly: string}];

/** No field without a case. */
type Cases = readonly [Case, ...Case[]];

const backing = {hostOnly: 'where the pages come from'};
const backend = {hostOnly: 'where the bytes go'};
const ofMemory = (change: Partial<MemoryConfig>): VmOptions => ({memory: {...saved.memory, ...change}});
const ofProcessors = (change: Partial<ProcessorConfig>): VmOptions => ({processors: {...saved.processors, ...change}});
const ofComplex = (change: Partial<typeof complex> & object): VmOptions => ({
	pcie: {...pcie, rootComplexes: [{...complex, ...change}]},
});
const ofPort = (change: object): VmOptions => ({pcie: {...pcie, rootPorts: [{...port, ...change}]}});
/** With another device in the place of one. */
const instead = (device: DeviceHandle, ...others: readonly DeviceHandle[]): VmOptions => ({
	devices: saved.devices.flatMap((handle) => (handle === device ? others : [handle])),
});
const ofModule = (change: Partial<ModuleHandle>): VmOptions => instead(own, {...own, ...change});
const ofOptions = (change: Record<string, string>) => ofModule({options: {...own.options, ...change}});
const ofPorts = (bindings: Parameters<typeof serialPorts>[0]): VmOptions => ({
	devices: [...serialPorts(bindings), ...saved.devices.slice(4)],
});
const added = (kind: string): VmOptions => ({devices: [...saved.devices, {kind}]});

const processorCases = {
	count: [[ofProcessors({count: 3}), /processors 2, asked for 3; /]],
	vpsPerSocket: [[ofProcessors({vpsPerSocket: 1}), /topology\.vpsPerSocket none, asked for 1/]],
	smt: [[ofProcessors({smt: 'force'}), /topology\.smt "auto", asked for "force"/]],
	x2apic: [[ofProcessors({x2apic: 'on'}), /topology\.x2apic "auto", asked for "on"; .*apicMode/]],
	apicIdOffset: [
		[ofProcessors({apicIdOffset: 4}), /topology\.apicIdOffset 0, asked for 4; .*apicIds\.0 0, asked for 4/],
	],
} satisfies Record<keyof ProcessorConfig, Cases>;

const memoryCases = {
	sizeBytes: [[ofMemory({sizeBytes: 256 * mib}), /memoryBytes 134217728, asked for 268435456; ram\.0\.length/]],
	shared: [[ofMemory({shared: false}), backing]],
	prefetch: [[ofMemory({prefetch: true}), backing]],
	thp: [[ofMemory({thp: false}), backing]],
	hugepages: [[ofMemory({hugepages: true}), /a private copy of the snapshot's, which excludes hugepages/]],
	hugepageSizeBytes: [[ofMemory({hugepages: true, hugepageSizeBytes: 2 ** 30}), /excludes hugepages/]],
	file: [[ofMemory({file: '/x'}), /excludes file/]],
} satisfies Record<keyof MemoryConfig, Cases>;

const cases = {
	processors: Object.values(processorCases).flat() as unknown as Cases,
	cpu: [[{cpu: {model: 'x86-64-v1'}}, {hostOnly: 'what the guest was shown is compared with what it allows'}]],
	memory: Object.values(memoryCases).flat() as unknown as Cases,
	numa: [
		[{numa: {nodes}}, /numa none, asked for/],
		[{numa: {nodes: nodes.map((node) => ({...node, hostNode: 0}))}}, /numa none, asked for/],
	],
	boot: [
		[{boot: {kind: 'none'}}, {hostOnly: 'what a reset starts: the saved guest is in memory already'}],
		[{boot: {kind: 'linux', kernel: '/k', commandLine: ['x']}}, {hostOnly: 'the same'}],
	],
	hypervisor: [[{hypervisor: 'kvm'}, {hostOnly: 'what runs the guest: its features are compared'}]],
	irqchip: [[{irqchip: 'kernel'}, /irqchip "split", asked for "kernel"/]],
	guestActions: [[{guestActions: {reset: 'halt'}}, {hostOnly: 'what the host does when the guest has ended'}]],
	deviceFailure: [[{deviceFailure: 'device'}, {hostOnly: 'what the host does then'}]],
	guestResetLimit: [[{guestResetLimit: 3}, {hostOnly: 'when the host has had enough'}]],
	paused: [[{paused: true}, {hostOnly: 'when the owner lets it run'}]],
	crashDumpPath: [[{crashDumpPath: '/x'}, {hostOnly: 'where a dump goes'}]],
	pcie: [
		[ofComplex({name: 'rc0', endBus: 7}), /pcie\.rootComplexes\.0\.endBus 15, asked for 7/],
		[ofComplex({lowMmioBytes: 32 * mib}), /lowMmioBytes 67108864, asked for 33554432.*devices\.rc0\.options\.lowMmio/],
		[ofPort({hotplug: true}), /pcie\.rootPorts\.0\.hotplug false, asked for true/],
		[ofPort({hotplug: true, button: true}), /rootPorts\.0\.button none, asked for true/],
		[ofPort({acs: 1}), /rootPorts\.0\.acs 0, asked for 1/],
		[ofPort({devfn: 8}), /rootPorts\.0\.devfn none, asked for 8.*devices\.rp0\.place\.devfn 0, asked for 8/],
		[ofPort({name: 'rp1'}), /rootPorts\.0\.name "rp0", asked for "rp1"/],
		[{pcie: {...pcie, ecamBelow4Gb: true}}, /pcie\.ecamBelow4Gb false, asked for true/],
	],
	devices: [
		[ofPorts({com1: {kind: 'file', path: '/x'}}), backend],
		[ofPorts({com2: {kind: 'stderr'}}), backend],
		[ofPorts({com1: {kind: 'none'}}), /devices\.com1 \{"kind":"serial-16550".*, asked for none/],
		[instead(debugcon, {...debugcon, options: {port: 0xe9, backend: 'file=/x'}}), backend],
		[instead(debugcon, {...debugcon, options: {port: 0x1402}}), /devices\.debugcon\.options\.port 233, asked for 5122/],
		[instead(debugExit, {...debugExit, options: {port: 0x501}}), /debug-exit\.options\.port 244, asked for 1281/],
		[added('hpet'), /devices\.hpet none, asked for/],
		[added('guest-watchdog'), /devices\.guest-watchdog none, asked for/],
		[added('battery'), /devices\.battery none, asked for/],
		[
			ofOptions({port: '0x700'}),
			/devices\.own\.options\.port 1280, asked for 1792; .*regions\.0\.base 1280, asked for 1792/,
		],
		[ofOptions({log: 'b.log'}), {hostOnly: 'the type says that the option is the host`s'}],
		[ofOptions({more: '1'}), /devices\.own\.options\.more none, asked for "1"/],
		[ofModule({name: 'mine'}), /devices\.own \{.*devices\.mine none, asked for/],
		[ofModule({module: moduleAt('again.mjs')}), {hostOnly: 'where the module lies'}],
		[ofModule({module: moduleAt('moved.mjs', '0x600')}), /devices\.own\.regions\.0\.base 1280, asked for 1536/],
		[instead(latch, {...latch, options: {port: 0x700}}), /devices\.latch\.options\.port 1296, asked for 1792/],
		[instead(latch, {...latch, name: 'other'}), /devices\.latch \{.*, asked for none/],
		[instead(latch, {name: 'latch', kind: batteryKind}), /devices\.latch\.kind "latch", asked for "battery"/],
		[instead(latch), /devices\.latch \{.*, asked for none/],
	],
} satisfies Record<keyof VmConfig, Cases>;

for (const [field, changes] of Object.entries(cases) as [string, readonly Case[]][]) {
	for (const [index, [change, refused]] of changes.entries()) {
		const isHostOnly = 'hostOnly' in refused;
		const title = isHostOnly ? `may differ: ${refused.hostOnly}` : 'is refused by name';
		test(`${field} changed between save and restore, ${index + 1}: ${title}`, async (t) => {
			const message = await refusal({...saved, ...change});
			if (isHostOnly) t.is(message, undefined);
			else t.regex(message ?? 'not refused', refused);
		});
	}
}

test('an input that the machine assigns is compared as what it is, in whatever order the devices are listed', async (t) => {
	const at = (name: string, base: number) => ({kind: 'virtio-rng-mmio', name, options: {base}});
	const [one, two] = [at('one', 0xd000_0000), at('two', 0xd000_1000)];
	const before = {...saved, devices: [one, two]};
	t.like((await shapeOf(before)).shape.devices, {one: {lines: {interrupt: 20}}, two: {lines: {interrupt: 21}}});
	t.is(await refusal({...saved, devices: [two, one]}, before), undefined);
	const taken = {...two, options: {...two.options, irq: 20}};
	t.regex((await refusal({...saved, devices: [one, taken]}, before)) ?? '', /one\.lines\.interrupt 20, asked for 21/);
});

test('each part of NUMA that the guest sees is compared, and where the host takes it from is not', async (t) => {
	const of = {...saved, numa: {nodes}};
	const same = {
		...saved,
		numa: {nodes: nodes.map((node) => ({...node, memory: {...node.memory, thp: false}, hostNode: 0}))},
	};
	t.is(await refusal(same, of), undefined);
	const vps = {...saved, numa: {nodes: nodes.toReversed()}};
	t.regex((await refusal(vps, of)) ?? '', /numa\.nodes\.0\.vps\.0 0, asked for 1/);
	const far = {...saved, numa: {nodes, distances: [{from: 0, to: 1, distance: 30}]}};
	t.regex((await refusal(far, of)) ?? '', /numa\.distances\.0 none, asked for/);
});

test('the same machine is not refused, and nothing of the host is in its shape', async (t) => {
	t.is(await refusal(saved), undefined);
	const memory = {...saved.memory, file: '/host/four'};
	const more = {memory, crashDumpPath: '/host/five'};
	const devices: readonly DeviceHandle[] = [
		...serialPorts({com1: {kind: 'file', path: '/host/one'}, com2: {kind: 'listen-unix', path: '/host/two'}}),
		{kind: 'debugcon', options: {port: 0xe9, backend: 'file=/host/three'}},
		{...own, options: {...own.options, log: '/host/six'}},
	];
	const {shape} = await shapeOf({...saved, ...more, devices});
	t.notRegex(JSON.stringify(asJson(shape)), /host\/|own\.mjs|a\.log/);
});
