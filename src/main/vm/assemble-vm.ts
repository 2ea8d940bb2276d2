import type {MachineFacts} from '#devices/device-type';
import {WriteLog} from '#devices/guest-memory';
import type {AttachedMachine, MachineLayout} from '#devices/machine';
import type {DescribedDevice} from '#devices/pci/fabric';
import {loadDeviceModels} from '#devices/registry';
import {checkConfig, configError, terminalUsers, type VmConfig} from '#main/config';
import {machineTree} from '#main/inspect';
import {compute} from '#main/jobs';
import {deviceModuleUrls, generationIdName, newGeneration} from '#main/machine';
import {allocateRam, type GuestRam, prefetchRam} from '#main/memory';
import {genericInitiators} from '#main/pcie';
import {
	asJson,
	bootToSave,
	checkHypervisor,
	DiskMemory,
	type MachineToSave,
	type OpenSnapshot,
	type SavedHypervisor,
	type SnapshotUnits,
} from '#main/snapshot';
import {type DevicePlace, WorkerStock} from '#main/workers';
import type {LongOperation} from '#support/abort';
import {close, eventfd} from '#support/ffi';
import {ProgramObjects} from '#support/rpc';
import {StateUnits} from '#support/state-units';
import {backEndOf, type ChosenHypervisor, chooseHypervisor} from '#vcpu-worker/back-ends';
import {type CpuChoice, needsOf} from '#vcpu-worker/cpuid';
import type {MsrRange, Partition} from '#vcpu-worker/hypervisor';
import {attachMachine, type MachineHandle} from '#vcpu-worker/machine';
import {parseVcpuState} from '#vcpu-worker/state';
import {BootSource} from './boot-source.ts';
import {crashDump} from './crash-dump.ts';
import type {CreateOptions} from './create-options.ts';
import {DebugControl} from './debug-control.ts';
import {DeviceNotices} from './device-notices.ts';
import {DeviceThreads} from './device-threads.ts';
import {tellFailures} from './failed-devices.ts';
import {GuestSampler} from './guest-sampler.ts';
import {HaltWatch} from './halt-watch.ts';
import {HotPlug} from './hot-plug.ts';
import {type MachinePlan, planMachine, planProcessors, unitsFor} from './machine-plan.ts';
import {MappedPages} from './mapped-pages.ts';
import {
	breakpointsUnit,
	devicesUnit,
	eventsUnit,
	haltWatchUnit,
	memoryUnit,
	TimeUnit,
	vcpusUnit,
} from './units/index.ts';
import {VcpuGroup} from './vcpu-group.ts';
import {Vm} from './vm.ts';
import {vmLimits} from './vm-limits.ts';
import type {GuestToSave, WriteSnapshot} from './vm-parts.ts';
import {type OwnDevices, wireMachine} from './wire-machine.ts';
import {checkFeatures, openVcpus, wireVcpus} from './wire-vcpus.ts';

const defaultPollNs = 50_000;
const defaultMailboxSpins = 2_000;

/** A machine whose processors can run, and its devices, which may not be ready yet. */
export interface AssembledVm {
	readonly vm: Vm;
	readonly devices: DeviceThreads;
}

/** Resources taken, to be given back where the machine does not come to be: the workers before what they use. */
interface Taken {
	readonly workers: AsyncDisposableStack;
	readonly host: AsyncDisposableStack;
	/** Goes last: it waits for whatever is still in flight, and nothing else shall wait with it. */
	readonly memory: AsyncDisposableStack;
}

/** Puts a machine together. @throws VmmError; nothing is left behind */
export async function assembleVm(config: VmConfig, options: CreateOptions): Promise<AssembledVm> {
	const taken: Taken = {
		workers: new AsyncDisposableStack(),
		host: new AsyncDisposableStack(),
		memory: new AsyncDisposableStack(),
	};
	try {
		return await assemble(config, options, taken);
	} catch (error) {
		// The first error is told, whatever the way back meets.
		await taken.workers.disposeAsync().catch(() => {});
		await taken.host.disposeAsync().catch(() => {});
		await taken.memory.disposeAsync().catch(() => {});
		throw error;
	}
}

async function assemble(config: VmConfig, options: CreateOptions, taken: Taken): Promise<AssembledVm> {
	const [problem] = checkConfig(config);
	if (problem !== undefined) throw problem;
	const {snapshot, stock = new WorkerStock()} = options;
	const limits = {...vmLimits, ...options.limits};
	const debug = new DebugControl();
	const boot = new BootSource(config);
	if (snapshot === undefined) boot.prefetch();
	const loading = loadOwnDevices(config);
	const chosen = await chosenHypervisor(config, options);
	const partition = createPartition(config, options, chosen, taken);
	// A machine that cannot be starts no thread.
	const topology = planProcessors(config, partition.processor);
	if (snapshot === undefined) checkFeatures(partition, topology, config);
	const workers = Array.from({length: config.processors.count}, () => stock.takeVcpu());
	taken.workers.defer(async () => void (await Promise.all(workers.map((worker) => worker.leave()))));
	const own = await loading;
	const plan = planMachine(config, topology, partition.processor, own.models);
	// Before RAM, so that it goes after it: who saves holds that.
	const disks = taken.memory.use(new DiskMemory());
	const ram = mapRam(plan, partition, snapshot, taken);
	const birthMs = Date.now();
	const program = new ProgramObjects();
	const {handle, facts} = layOut(plan, {birthMs, partition, ram, own, program, failure: config.deviceFailure}, taken);
	partition.interceptMsrs(claimedMsrs(handle.layout));
	const opened = openVcpus(partition, plan.topology, config, snapshot !== undefined);
	const attachment = (await backEndOf(handle.partition)).attach(handle.partition);
	// As soon as it is known what they are: their threads create the processors while this one goes on.
	const threads = wireVcpus({
		workers,
		vcpus: opened.handles,
		machine: handle,
		partition,
		attachment,
		mailboxSpins: options.mailboxSpins ?? defaultMailboxSpins,
	});
	const vcpus = new VcpuGroup(threads, (vcpu) => debug.planOf(vcpu));
	// This thread touches devices only while no vCPU runs.
	const {machine, memory} = await attachMachine(handle, {alertsBootCpu: false, partition: attachment});
	machine.reset();
	const savedUnits = snapshot && (await unitsFor(snapshot, config, partition.processor, plan, describedBy(machine)));
	const ownUnits = partition.units(machine.time);
	const hypervisor = {kind: partition.handle.kind, units: ownUnits.map(({name}) => name)};
	if (snapshot !== undefined) {
		checkHypervisor(snapshot.directory, snapshot.manifest.hypervisor, {...hypervisor, cpuid: opened.cpuid});
		disks.restore(snapshot, machine.devices);
	}
	const initiators = genericInitiators(config.pcie, machine.pci);
	const bootMachine = {
		topology: plan.topology,
		layout: plan.memory,
		devices: handle.layout.devices,
		types: own.models.types,
		initiators,
	};
	const bootImage = () => boot.image(bootMachine);
	const image = snapshot === undefined ? await bootImage() : undefined;
	const booting = image && vcpus.reset(image.entry);
	booting?.catch(() => {});
	const ramUnit = memoryUnit(memory, bootImage);
	await fillRam(ram, options, image && ramUnit.reset);
	await booting;
	// A thread that starts keeps a processor busy for as long as Node's own start does: the vCPUs' threads come first.
	const {pollNs = defaultPollNs} = options;
	const isAlone = options.pollNs !== undefined || mayHang(machine.layout, own.models);
	const places: DevicePlace[] = [];
	for (const _ of machine.layout.workers) places.push(stock.takeDevices(isAlone, places));
	const devices = new DeviceThreads(places, {pollNs, ...handle}, program);
	taken.workers.defer(() => devices.dispose());
	if (savedUnits === undefined) devices.begin();
	const time = timeUnit(machine, birthMs, snapshot);
	const haltWatch = new HaltWatch(threads, limits.haltLookMs);
	const passive = [
		time,
		...ownUnits,
		ramUnit,
		eventsUnit(machine.events),
		breakpointsUnit(memory, debug),
		devicesUnit(machine, devices),
	];
	const passiveNames = passive.map(({name}) => name);
	const units = new StateUnits([...passive, vcpusUnit(vcpus, bootImage, passiveNames), haltWatchUnit(haltWatch)]);
	if (savedUnits !== undefined) {
		const generation = newGeneration();
		const restored = units.restore(savedUnits);
		// Its thread would take a processor from those that have more to do, which know of it at the end of this turn.
		setImmediate(() => devices.begin());
		await restored;
		time.choose(options.clock ?? 'catch-up');
		machine.control(generationIdName, generation);
	}
	// A processor's patience with an access is not for the start of the thread that answers it.
	if (machine.hasOwned) await devices.ready();
	const mappedPages = taken.host.use(new MappedPages(machine.devices));
	const runsOn = {kind: chosen.hypervisor.kind, reason: chosen.reason};
	const writeLog = () => new WriteLog(memory, partition.dirty);
	const notices = new DeviceNotices(machine, options.deviceNoticed ?? (() => {}));
	const vm = new Vm({
		machine,
		notices,
		hypervisor: runsOn,
		memory,
		writeLog,
		ram,
		mappedPages,
		debug,
		time,
		units,
		save: saver(config, {plan, ram, disks, machine, hypervisor, writeLog, cpu: snapshot?.manifest.cpu ?? config.cpu}),
		vcpus,
		sampler: new GuestSampler(threads),
		devices,
		hotPlug: new HotPlug({machine, facts, threads: [vcpus, devices], mappedPages, program}),
		actions: config.guestActions,
		bootImage,
		resetLimit: config.guestResetLimit,
		limits,
		haltWatch,
		stuck: options.stuck ?? (() => {}),
		crashDump: crashDump(config.crashDumpPath, options.crashDumped ?? (() => {})),
		halted: options.halted ?? (() => {}),
		consoleDevice: terminalUsers(config).find(({takesInput}) => takesInput),
		tree: (state) => {
			const isHalted = () => haltWatch.isHalted;
			return machineTree(
				{config, machine, ram, hypervisor: runsOn, partition, vcpus: threads, devices, state, isHalted},
				options.inspect,
			);
		},
		debugSupport: () => partition.debugSupport(),
		release: async () => {
			try {
				await taken.host.disposeAsync();
			} finally {
				await taken.memory.disposeAsync();
			}
		},
	});
	void notices.follow((still) => vm.pauseFor(still), vm.ended);
	if (options.deviceFailed !== undefined && config.deviceFailure === 'device')
		void tellFailures(machine, options.deviceFailed, vm.ended);
	return {vm, devices};
}

/**
 * Code of a user's own runs on the devices' thread, or may come to run there: in a port to which devices come; or a device waits there for a file system of
 * the host's.
 */
const mayHang = ({modules, slotSources, devices}: MachineLayout, {findModel}: OwnDevices['models']): boolean =>
	modules.length > 0 ||
	Object.keys(slotSources).length > 0 ||
	devices.some(({kind}) => findModel(kind)?.mayWait === true);

/** Registers that devices answer. */
const claimedMsrs = ({claims}: MachineLayout): MsrRange[] =>
	claims.filter(({space}) => space === 'msr').map(({base, length}) => ({first: base, count: length}));

/** The modules of a user's own devices. What is wrong with them is met where the promise is awaited. */
function loadOwnDevices(config: VmConfig): Promise<OwnDevices> {
	const modules = deviceModuleUrls(config);
	const loading = loadDeviceModels(modules).then((models) => ({modules, models}));
	loading.catch(() => {});
	return loading;
}

async function chosenHypervisor(config: VmConfig, {hypervisor, lockstep}: CreateOptions): Promise<ChosenHypervisor> {
	if (hypervisor !== undefined) return {hypervisor, reason: 'it was given'};
	if (lockstep === undefined) return chooseHypervisor(config.hypervisor);
	if (config.hypervisor === 'kvm') {
		const remedy = 'Leave out one of them: what is compared is code of the software processor';
		throw configError('CONFIG_CONFLICT', {option: '--hypervisor', first: 'kvm', second: '--lockstep', remedy});
	}
	return {...(await chooseHypervisor('software')), reason: 'lockstep is of its code'};
}

function createPartition(
	{irqchip, processors}: VmConfig,
	{lockstep}: CreateOptions,
	{hypervisor}: ChosenHypervisor,
	taken: Taken,
): Partition {
	const spec = {irqchip, processors: processors.count, compute};
	const partition = hypervisor.create({...spec, ...(lockstep !== undefined && {lockstep})});
	return taken.host.adopt(partition, () => partition.close());
}

/** Guest RAM, as it was where there is a snapshot, at its addresses in the partition. */
function mapRam(plan: MachinePlan, partition: Partition, snapshot: OpenSnapshot | undefined, taken: Taken): GuestRam {
	const contents = snapshot && {fd: snapshot.memoryFd, what: snapshot.directory};
	const ram = taken.memory.adopt(allocateRam(plan.banks, contents), (allocated) => allocated.dispose());
	for (const range of ram.ranges) partition.map(range);
	return ram;
}

interface HostedParts {
	readonly birthMs: number;
	readonly partition: Partition;
	readonly ram: GuestRam;
	readonly own: OwnDevices;
	readonly program: ProgramObjects;
	readonly failure: VmConfig['deviceFailure'];
}

/** The machine's devices in shared memory, for every thread to attach to. */
function layOut(
	plan: MachinePlan,
	{birthMs, partition, ram, own, program, failure}: HostedParts,
	taken: Taken,
): {handle: MachineHandle; facts: MachineFacts} {
	const openWakeFd = () => taken.host.adopt(eventfd(), (fd) => void close(fd));
	const {devices, facts} = plan.describe(birthMs, (object) => program.keep(object));
	const layout = wireMachine(devices, plan.topology.vps.length, openWakeFd, own, failure);
	const {watch} = partition;
	return {handle: {layout, memory: {...ram.memory, ...(watch && {watch})}, partition: partition.handle}, facts};
}

/** Commits the memory that shall be, and puts what is to be booted there. */
async function fillRam(
	{banks}: GuestRam,
	{prefetched: progress, signal}: CreateOptions,
	place: (() => void | Promise<void>) | undefined,
): Promise<void> {
	const wanted = banks.flatMap(({ranges, prefetch}) => (prefetch ? ranges : []));
	if (wanted.length > 0) await prefetchRam(wanted, {progress, signal});
	signal?.throwIfAborted();
	await place?.();
}

function timeUnit(machine: AttachedMachine, baseTimeMs: number, snapshot: OpenSnapshot | undefined): TimeUnit {
	const snapshotMs = snapshot && Date.parse(snapshot.manifest.createdAt);
	return new TimeUnit(machine.time, {baseTimeMs, ...(snapshotMs !== undefined && {snapshotMs})});
}

const describedBy = ({devices}: AttachedMachine): DescribedDevice[] =>
	devices.map(({placed: instance, model}) => ({instance, model}));

/** Has snapshots of the machine made. */
function saver(
	config: VmConfig,
	{
		plan,
		ram,
		disks,
		machine,
		hypervisor,
		writeLog,
		cpu,
	}: {
		plan: MachinePlan;
		ram: GuestRam;
		disks: DiskMemory;
		machine: AttachedMachine;
		hypervisor: Omit<SavedHypervisor, 'needs'>;
		writeLog: () => WriteLog;
		cpu: CpuChoice;
	},
) {
	const boot = bootToSave(config.boot);
	const describe = (units: SnapshotUnits) => {
		const [bootProcessor] = units['vcpus'] as readonly unknown[];
		// Those of a restored guest are what it was shown where it was started.
		const needs = needsOf(parseVcpuState(bootProcessor).cpuid);
		const shape = asJson(plan.shapeOf(describedBy(machine)));
		return {boot, cpu, hypervisor: {...hypervisor, needs}, shape, units, disks: disks.of(machine.devices)};
	};
	return <T>(writeSnapshot: WriteSnapshot<T>, {isRunning, atRest}: GuestToSave, asked: LongOperation) => {
		const writeAtRest = (write: (machine: MachineToSave) => Promise<void>) =>
			atRest(async (units) => {
				await write(describe(units));
				const loss = ram.watch.look();
				if (loss !== undefined) throw loss;
				disks.checkWhole();
			});
		const saved = writeSnapshot({ram, isRunning, writeLog, atRest: writeAtRest}, asked);
		// A machine that has lost memory ends, when whoever saves has heard of it.
		return saved.finally(() => setImmediate(() => ram.watch.tell()));
	};
}
