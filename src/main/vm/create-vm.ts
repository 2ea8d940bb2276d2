import type {DeviceInstance} from '#devices/device';
import {MappedMemory} from '#devices/guest-memory';
import type {DescribedDevice} from '#devices/pci/fabric';
import {type LoadedModels, loadDeviceModels} from '#devices/registry';
import {type ClockPolicy, checkConfig, consolePort, numaNodes, type VmConfig} from '#main/config';
import {machineTree} from '#main/inspect';
import {deviceModuleUrls, generationIdName, newGeneration} from '#main/machine';
import {allocateRam, prefetchRam} from '#main/memory';
import {genericInitiators, placeMachine} from '#main/pcie';
import {
	asJson,
	checkShape,
	type MachineShape,
	machineShape,
	type OpenSnapshot,
	type SnapshotUnits,
	saveSnapshot,
	stateLimits,
} from '#main/snapshot';
import {WorkerStock} from '#main/workers';
import type {VmmError} from '#support/errors';
import {close, eventfd} from '#support/ffi';
import type {Children} from '#support/inspect';
import {physicalAddressBits} from '#vcpu-worker/cpuid';
import type {DebugSupport} from '#vcpu-worker/debug';
import {openKvm, Partition, probeDebug, readChips, supportedCpuid} from '#vcpu-worker/kvm';
import {attachMachine} from '#vcpu-worker/machine';
import {BootSource} from './boot-source.ts';
import {crashDump} from './crash-dump.ts';
import {DebugControl} from './debug-control.ts';
import {DeviceThread} from './device-thread.ts';
import {HaltWatch} from './halt-watch.ts';
import {HotPlug} from './hot-plug.ts';
import {
	breakpointsUnit,
	clockUnit,
	devicesUnit,
	haltWatchUnit,
	kernelChipsUnit,
	memoryUnit,
	type SavedUnits,
	StateUnits,
	TimeUnit,
	vcpusUnit,
} from './units/index.ts';
import {VcpuGroup} from './vcpu-group.ts';
import {Vm} from './vm.ts';
import type {VmEnd} from './vm-end.ts';
import {describeMachine, hostedTopology, wireMachine} from './wire-machine.ts';
import {wireVcpus} from './wire-vcpus.ts';

/** What a machine's owner may choose beyond its configuration. */
export interface CreateOptions {
	/** Called with the bytes of memory committed so far, with `prefetch`. */
	readonly prefetched?: (doneBytes: number, totalBytes: number) => void;
	/** Called when the guest has ended and its action is `halt`: the machine stays, stopped, to be looked at or reset. */
	readonly halted?: (end: VmEnd) => void;
	/** Called when all processors have halted with interrupts off, once after each power-on. */
	readonly stuck?: () => void;
	/** Called when the guest has crashed and `crashDumpPath` is set: with what went wrong or why there is no dump, if so. */
	readonly crashDumped?: (path: string, error?: VmmError) => void;
	/** Called when a debugger can attach: the path or address to connect to, and what stops the guest here. */
	readonly debuggable?: (where: string, support: DebugSupport) => void;
	/** How long the device worker looks for work before it sleeps, in nanoseconds. */
	readonly pollNs?: number;
	/** How often a vCPU's thread looks at a mailbox reply before it sleeps. */
	readonly mailboxSpins?: number;
	/** @internal Threads started earlier; new ones are started where it has too few. */
	readonly stock?: WorkerStock;
	/** Further nodes at the root of the tree that {@link Vm.inspect} shows. */
	readonly inspect?: () => Children;
	/**
	 * Starts the machine as soon as its processors can run, while its devices' thread is still coming up. What devices
	 * cannot get is an error of {@link createVm} all the same; by then the guest has run for a moment.
	 */
	readonly start?: boolean;
	/** The state to begin in, instead of power-on. The configuration has to describe the machine that was saved. */
	readonly snapshot?: OpenSnapshot;
	/**
	 * What a restored guest's clocks do at its first start: `catch-up` with the real time since the snapshot, without this; or
	 * `continue` where they were. An older snapshot than clocks can catch up with is the error VM_CLOCK_TOO_FAR.
	 */
	readonly clock?: ClockPolicy;
	/** See `Manifest.arguments`. */
	readonly arguments?: readonly string[];
}

const defaultPollNs = 50_000;
const defaultMailboxSpins = 2_000;

/** Steps that give back what was taken, last first. */
type Undo = (() => void | Promise<void>)[];

/**
 * Builds a machine, powered on and ready to {@link Vm.start}.
 * @throws VmmError for whatever the host cannot give or the configuration gets wrong; nothing is left behind
 */
export async function createVm(config: VmConfig, options: CreateOptions = {}): Promise<Vm> {
	const {vm, devices, closing} = await build(config, options);
	try {
		if (config.gdb !== undefined) {
			const {GdbServer} = await import('#main/debugger');
			const support = probeDebug();
			const server = await GdbServer.listen(config.gdb, vm, support);
			closing.push((end) => server.close(end));
			options.debuggable?.(server.where, support);
		}
		await (options.start ? vm.start() : devices.ready());
		return vm;
	} catch (error) {
		await vm.stop();
		throw error;
	}
}

/** A machine whose processors can run, and its devices, which may not be ready yet. */
interface Built {
	readonly vm: Vm;
	readonly devices: DeviceThread;
	/** What is to be closed when the machine is over, before its host resources are released. */
	readonly closing: ((end: VmEnd) => Promise<void>)[];
}

async function build(config: VmConfig, options: CreateOptions): Promise<Built> {
	const undo: Undo = [];
	try {
		return await assemble(config, options, undo);
	} catch (error) {
		// What went wrong first is told, whatever the way back meets.
		for (const step of undo.reverse()) await (async () => step())().catch(() => {});
		throw error;
	}
}

async function assemble(config: VmConfig, options: CreateOptions, undo: Undo): Promise<Built> {
	const [problem] = checkConfig(config);
	if (problem !== undefined) throw problem;
	const {snapshot} = options;
	const boot = new BootSource(config);
	if (snapshot === undefined) boot.prefetch();
	const modules = deviceModuleUrls(config);
	const ownModels = loadDeviceModels(modules);
	// Whatever goes wrong first is reported; this failure is met where it is awaited.
	ownModels.catch(() => {});
	const kvm = openKvm();
	undo.push(() => void close(kvm));
	const topology = hostedTopology(config, kvm);
	const stock = options.stock ?? new WorkerStock();
	const workers = topology.vps.map(() => stock.takeVcpu());
	undo.push(async () => {
		await Promise.all(workers.map(({leave}) => leave()));
	});

	const cpuid = supportedCpuid(kvm);
	const addressBits = physicalAddressBits(cpuid);
	const nodes = numaNodes(config);
	const memoryOptions = {size: nodes.map(({memory}) => memory.sizeBytes), physicalAddressBits: addressBits};
	const {memory: memoryLayout, complexes} = placeMachine(memoryOptions, config.pcie);
	const own = {modules, models: await ownModels};
	const describe = (baseTimeMs: number) =>
		describeMachine(config, {ram: memoryLayout.ram, complexes}, baseTimeMs, own.models);
	const shapeOf = (devices: readonly DescribedDevice[]) =>
		machineShape(config, {topology, ram: memoryLayout.ram, devices});
	const savedUnits = snapshot && (await unitsOf(snapshot, config, withModels(describe(0), own.models), shapeOf));
	const partition = createPartition(kvm, config, topology.vps[0]?.apicId ?? 0);
	undo.push(() => partition.close());
	if (topology.apicMode !== 'xapic') partition.enableExtendedApicIds();
	const contents = snapshot && {fd: snapshot.memoryFd, what: snapshot.directory};
	const banks = nodes.map((node, index) => ({...node, ranges: memoryLayout.nodes[index] ?? []}));
	const ram = allocateRam(banks, contents);
	undo.push(() => ram.dispose());
	for (const [slot, range] of ram.ranges.entries()) partition.setMemory({slot, ...range});

	const wakeFd = eventfd();
	undo.push(() => void close(wakeFd));
	const baseTimeMs = Date.now();
	const layout = wireMachine(describe(baseTimeMs), topology.vps.length, wakeFd, own);
	const {pollNs = defaultPollNs, mailboxSpins = defaultMailboxSpins} = options;
	const wiring = {layout, memory: ram.ranges, vmFd: partition.fd};
	const memory = new MappedMemory(ram.ranges);
	// This thread touches devices only while no vCPU runs.
	const {machine} = await attachMachine(wiring, () => {});
	machine.reset();
	const initiators = genericInitiators(config.pcie, machine.pci);
	const bootImage = () => boot.image({topology, layout: memoryLayout, devices: layout.devices, initiators});
	const image = snapshot === undefined ? await bootImage() : undefined;
	const entry = image?.entry;
	const {irqchip} = config;
	const vcpuParts = {workers, topology, irqchip, kvm, cpuid, partition, mailboxSpins, entry, ...wiring};
	const {threads, bootHandle} = wireVcpus(vcpuParts);
	// They use the partition and its memory from here on: they leave before these are closed.
	undo.push(async () => void (await Promise.all(workers.map(({leave}) => leave()))));
	const prefetched = ram.banks.flatMap(({ranges, prefetch}) => (prefetch ? ranges : []));
	if (prefetched.length > 0) await prefetchRam(prefetched, options.prefetched ?? (() => {}));
	const ramUnit = memoryUnit(memory, bootImage);
	if (image !== undefined) await ramUnit.reset?.();
	const debug = new DebugControl();
	const vcpus = new VcpuGroup(threads, (vcpu) => debug.planOf(vcpu));
	await vcpus.ready();
	// A thread that starts keeps a processor busy for as long as Node's own start does: the vCPUs' threads come first.
	const devices = new DeviceThread({pollNs, bootHandle, ...wiring});
	undo.push(() => devices.dispose());
	const snapshotMs = snapshot && Date.parse(snapshot.manifest.createdAt);
	const time = new TimeUnit(machine.time, {baseTimeMs, ...(snapshotMs !== undefined && {snapshotMs})});
	const passive = [
		time,
		clockUnit(partition, machine.time),
		...(config.irqchip === 'kernel' ? [kernelChipsUnit(partition.fd)] : []),
		ramUnit,
		breakpointsUnit(memory, debug),
		devicesUnit(machine, devices),
	];
	const processors = vcpusUnit(
		vcpus,
		bootImage,
		passive.map(({name}) => name),
	);
	const haltWatch = new HaltWatch(threads);
	const units = new StateUnits([...passive, processors, haltWatchUnit(haltWatch)]);
	if (savedUnits !== undefined) {
		await units.restore(savedUnits as SavedUnits);
		time.choose(options.clock ?? 'catch-up');
		machine.control(generationIdName, newGeneration());
	}
	const closing: Built['closing'] = [];
	const identity = {
		boot: config.boot.kind === 'embedded' ? 'embedded' : 'other',
		arguments: options.arguments ?? [],
	} as const;
	const vm = new Vm({
		machine,
		memory,
		ram,
		debug,
		time,
		units,
		save: (directory, saved, progress) => {
			const shape = asJson(shapeOf(machine.devices.map(({placed: instance, model}) => ({instance, model}))));
			return saveSnapshot(directory, {...identity, shape, units: saved, ram}, progress);
		},
		vcpus,
		devices,
		hotPlug: new HotPlug(machine, [vcpus, devices]),
		actions: config.guestActions,
		bootImage,
		resetLimit: config.guestResetLimit,
		haltWatch,
		stuck: options.stuck ?? (() => {}),
		crashDump: crashDump(config.crashDumpPath, options.crashDumped ?? (() => {})),
		halted: options.halted ?? (() => {}),
		consoleDevice: consolePort(config.serial),
		tree: (state) => {
			const kernelChips = config.irqchip === 'kernel' ? () => readChips(partition.fd) : undefined;
			const isHalted = () => haltWatch.isHalted;
			return machineTree(
				{config, machine, ram, vcpus: threads, devices, kernelChips, state, isHalted},
				options.inspect,
			);
		},
		release: async (end) => {
			for (const close of closing) await close(end);
			partition.close();
			close(kvm);
			close(wakeFd);
			ram.dispose();
		},
	});
	return {vm, devices, closing};
}

/** Devices with their models; those of an unknown kind are refused when the machine is laid out. */
const withModels = (devices: readonly DeviceInstance[], {findModel}: LoadedModels): DescribedDevice[] =>
	devices.flatMap((instance) => {
		const model = findModel(instance.kind);
		return model === undefined ? [] : [{instance, model}];
	});

/** What a snapshot has for this machine and no other. @throws VmmError with a `SNAPSHOT_` code */
function unitsOf(
	snapshot: OpenSnapshot,
	config: VmConfig,
	devices: readonly DescribedDevice[],
	shapeOf: (devices: readonly DescribedDevice[]) => MachineShape,
): Promise<SnapshotUnits> {
	checkShape(shapeOf(devices), config, snapshot);
	return snapshot.readUnits(stateLimits(config.processors.count, devices));
}

function createPartition(kvm: number, config: VmConfig, bootApicId: number): Partition {
	const partition = Partition.create(kvm);
	try {
		partition.enableUserSpaceMsrs();
		partition.setBootCpu(bootApicId);
		if (config.irqchip === 'kernel') partition.createKernelIrqchip();
		else partition.createSplitIrqchip();
		return partition;
	} catch (error) {
		partition.close();
		throw error;
	}
}
