import {BarPagesState} from '#devices/bar-pages';
import {type AnyDeviceModel, type DeviceInstance, mostWorkers} from '#devices/device';
import {checkDoorbells, DoorbellTableState, doorbellEntries} from '#devices/doorbells';
import {inputCount, interruptTableBytes, type LineSource} from '#devices/interrupts';
import {buildPortTable, type Claim, checkClaims, isBusSpace, UnclaimedState} from '#devices/io-bus';
import {shortageError} from '#devices/pci/assignment';
import {checkPlaces, type DescribedDevice} from '#devices/pci/fabric';
import {intxLine, isSlot} from '#devices/pci/function';
import {VmTimeState} from '#devices/vm-time';
import {errorTable} from '#support/errors';
import {type MailboxSet, ReadySetState, readySlots, type WakerHandle} from '#support/mailbox';
import {allocateSharedPages} from '#support/shared-memory';
import {CommonMemories} from './common-memories.ts';
import {DecodeState} from './decode-changes.ts';
import type {DeviceFailurePolicy} from './device-failure.ts';
import {DeviceHeader} from './device-header.ts';
import {type PlacedPages, placePages} from './device-pages.ts';
import {lineInputs} from './line-inputs.ts';
import {MachineState} from './machine-events.ts';
import {shortagesOf} from './pci-complexes.ts';

/** A back's places in the machine's ready set and doorbell table. */
export interface PlacedCalls {
	/** The slot of the call for the back. That of its rest follows, then those of its queues. The same in the ready set of each worker. */
	readonly slot: number;
	readonly queues: number;
	/** Number of the machine's workers that have its queues, from the first on. */
	readonly workers: number;
	/** The worker of its first queue. */
	readonly firstWorker: number;
	/** The number of its first doorbell, which the others follow. */
	readonly doorbell: number;
	readonly doorbells: number;
}

/** A device of a machine, with its places in the shared buffers. */
export interface PlacedDevice extends DeviceInstance {
	/** Offset of the {@link DeviceHeader}; the device's struct follows it. */
	readonly stateOffset: number;
	/** Memory that it lies in, if not in {@link MachineLayout.state}: a device that came while the guest ran. */
	readonly ownState?: SharedArrayBuffer;
	/** Tells such devices apart, also of the same name. */
	readonly addition?: number;
	/** Tells its configurations apart, where that has been changed. */
	readonly revision?: number;
	readonly lines: Readonly<Record<string, LineSource>>;
	/** Interrupt inputs that lead to it. */
	readonly inputs: Readonly<Record<string, number>>;
	/** Calls for its back; undefined where it has none. */
	readonly calls: PlacedCalls | undefined;
	/** See `ModelParts.hostMemory`. */
	readonly hostMemory: SharedArrayBuffer | undefined;
	/** See `ModelParts.commonMemory`. */
	readonly commonMemory: SharedArrayBuffer | undefined;
	/** The memory that BARs of it are. */
	readonly pages: readonly PlacedPages[];
}

/** Calls for one of a machine's workers. */
export interface PlacedWorker {
	/** Backs and queues that have work: see `ReadySet`. */
	readonly ready: SharedArrayBuffer;
	/** Wakes it. */
	readonly waker: WakerHandle;
}

/**
 * A whole machine's devices as plain data and shared buffers: made once by the owner, sent to every worker, which
 * attaches to it. Nothing in it is a host address.
 */
export interface MachineLayout {
	/** File URLs of the modules that define devices of a user's own; every thread loads them. */
	readonly modules: readonly string[];
	readonly devices: readonly PlacedDevice[];
	readonly claims: readonly Claim[];
	readonly portTable: SharedArrayBuffer;
	/** Every device's header and struct. */
	readonly state: SharedArrayBuffer;
	readonly interrupts: SharedArrayBuffer;
	readonly interruptSources: number;
	readonly unclaimed: SharedArrayBuffer;
	readonly time: SharedArrayBuffer;
	readonly events: SharedArrayBuffer;
	/** Threads that run backs. The first one has all devices, the others the queues of those that have several workers. */
	readonly workers: readonly PlacedWorker[];
	/** Doorbells that the back end rings: see `DoorbellTable`. */
	readonly doorbells: SharedArrayBuffer;
	/** Places of mapped memory of BARs: see `BarPagesTable`. */
	readonly barPages: SharedArrayBuffer;
	/** Counts what changes where devices answer: see `DecodeChanges`. */
	readonly decode: SharedArrayBuffer;
	/** The interrupt source of the device in a slot that devices come to and go from, by the port's name. */
	readonly slotSources: Readonly<Record<string, number>>;
	/** Devices that have come while the guest ran. */
	readonly additions: number;
	/** Carries accesses of owned devices to the first worker. */
	readonly mailbox: MailboxSet;
	/** Choice of what a device ends whose code fails. */
	readonly deviceFailure: DeviceFailurePolicy;
}

const machineError = errorTable({
	DEVICE_KIND_UNKNOWN: (c: {name: string; kind: string}) => ({
		message: `Device ${c.name} has the unknown kind ${c.kind}`,
	}),
	DEVICE_NAME_TAKEN: (c: {name: string}) => ({message: `Two devices are called ${c.name}`}),
	DEVICE_INPUT_TAKEN: (c: {name: string; input: number; other: string}) => ({
		message: `Devices ${c.other} and ${c.name} both take the interrupt input ${c.input}`,
	}),
	DEVICE_LINES_CYCLE: (c: {path: readonly string[]}) => ({
		message: `The interrupt lines of devices lead back to where they come from: ${c.path.join(' → ')}`,
		remedy:
			'Let one of them lead to the interrupt controller: devices that call each other would wait for each other for ever',
	}),
	DEVICE_OWNED_CLAIM: (c: {name: string; region: string; space: string}) => ({
		message: `Device ${c.name}, which the device worker owns, has the region ${c.region} of space ${c.space}`,
		remedy: 'Such a device has ports and memory only: one with state in shared memory answers any thread',
	}),
	DEVICE_DOORBELL_WITHOUT_BACK: (c: {name: string}) => ({
		message: `Device ${c.name} has doorbells and no back that they could call`,
	}),
	DEVICE_QUEUES_TOO_MANY: (c: {name: string; slots: number; doorbells: number}) => ({
		message: `There is no room for the queues of ${c.name}: a machine has ${readySlots} backs and queues (${c.slots} more are asked for) and ${doorbellEntries} doorbells (${c.doorbells} more)`,
		remedy: 'Give the machine fewer devices, or these fewer queues',
	}),
	DEVICE_WORKERS_IMPOSSIBLE: (c: {name: string; workers: number; most: number}) => ({
		message: `The device ${c.name} cannot have ${c.workers} workers`,
		remedy: `Give it 1 to ${c.most}: no more than it has queues, than ${mostWorkers} and, where it comes while the guest runs, than the machine was started with`,
	}),
	DEVICE_HOST_MEMORY_EXHAUSTED: (c: {name: string; bytes: number}) => ({
		message: `The process has no room for the ${c.bytes} bytes of host memory of ${c.name}`,
		remedy: 'Give it less memory, or raise what limits the process: ulimit -v',
	}),
});

/** Finds a device model by kind. */
export type ModelFinder = (kind: string) => AnyDeviceModel | undefined;

/**
 * Places devices in shared memory, zeroed until the machine is reset, and claims their regions. There is a worker for each waker.
 * @throws VmmError for unknown kinds, equal names, overlapping regions, impossible interrupts, and PCI
 * functions that do not fit into their root complex
 */
export function layOutMachine(
	instances: readonly DeviceInstance[],
	findModel: ModelFinder,
	{
		wakers,
		commonMemories = new CommonMemories(),
		...wiring
	}: Pick<MachineLayout, 'modules' | 'mailbox'> &
		Partial<Pick<MachineLayout, 'deviceFailure'>> & {
			readonly wakers: readonly WakerHandle[];
			readonly commonMemories?: CommonMemories;
		},
): MachineLayout {
	const claims: Claim[] = [];
	const devices: PlacedDevice[] = [];
	const described = instances.map((instance): DescribedDevice => {
		const {name, kind} = instance;
		const model = findModel(kind);
		if (model === undefined) throw machineError('DEVICE_KIND_UNKNOWN', {name, kind});
		return {instance, model};
	});
	const numbers = lineInputs(described);
	const slotSources: Record<string, number> = {};
	let [stateBytes, sources] = [0, 0];
	// First, so that they are the same whether a device is in the slot from the beginning or comes later.
	for (const {instance, model} of described) if (isSlot(model, instance.config)) slotSources[instance.name] = sources++;
	for (const [device, {instance, model}] of described.entries()) {
		const {name, config} = instance;
		if (devices.some((other) => other.name === name)) throw machineError('DEVICE_NAME_TAKEN', {name});
		const lines: Record<string, LineSource> = {};
		for (const [line, gsi] of Object.entries(numbers.get(name) ?? {})) {
			const slotSource = line === intxLine && instance.place?.devfn === 0 ? slotSources[instance.place.on] : undefined;
			lines[line] = {source: slotSource ?? sources++, gsi};
		}
		const inputs = model.inputs?.(config) ?? {};
		for (const input of Object.values(inputs)) {
			const other = devices.find((placed) => Object.values(placed.inputs).includes(input))?.name;
			if (other !== undefined) throw machineError('DEVICE_INPUT_TAKEN', {name, input, other});
		}
		for (const [region, declared] of model.regions(config).entries()) {
			const {space} = declared;
			if (!isBusSpace(space)) continue;
			if (model.owned !== undefined && space !== 'pio' && space !== 'mmio')
				throw machineError('DEVICE_OWNED_CLAIM', {name, region: declared.name, space});
			claims.push({...declared, space, deviceName: name, device, region});
		}
		devices.push({
			...instance,
			stateOffset: stateBytes,
			lines,
			inputs,
			calls: placeCalls(instance, model, devices, wakers.length),
			hostMemory: allocateHostMemory(instance, model),
			commonMemory: findCommonMemory(instance, model, commonMemories),
			pages: placePages(instance, model, devices),
		});
		stateBytes += DeviceHeader.byteLength + model.state.byteLength;
	}
	checkLines(devices);
	checkPlaces(described);
	const [shortage] = shortagesOf(described);
	if (shortage !== undefined) throw shortageError(shortage);
	checkClaims(claims);
	return {
		devices,
		claims,
		portTable: buildPortTable(claims),
		state: new SharedArrayBuffer(stateBytes),
		interrupts: new SharedArrayBuffer(interruptTableBytes(sources, inputCount)),
		interruptSources: sources,
		unclaimed: new SharedArrayBuffer(UnclaimedState.byteLength),
		time: new SharedArrayBuffer(VmTimeState.byteLength),
		events: new SharedArrayBuffer(MachineState.byteLength),
		workers: wakers.map((waker) => ({waker, ready: new SharedArrayBuffer(ReadySetState.byteLength)})),
		doorbells: new SharedArrayBuffer(DoorbellTableState.byteLength),
		barPages: new SharedArrayBuffer(BarPagesState.byteLength),
		decode: new SharedArrayBuffer(DecodeState.byteLength),
		slotSources,
		additions: 0,
		deviceFailure: 'machine',
		...wiring,
	};
}

/** A device's lock is held while what its line leads to is called: a way back would lock all processors. */
function checkLines(devices: readonly PlacedDevice[]): void {
	const takes = (gsi: number) => devices.find(({inputs}) => Object.values(inputs).includes(gsi));
	const cleared = new Set<PlacedDevice>();
	const visit = (device: PlacedDevice, path: readonly PlacedDevice[]): void => {
		const names = [...path, device].map(({name}) => name);
		if (path.includes(device)) throw machineError('DEVICE_LINES_CYCLE', {path: names.slice(path.indexOf(device))});
		if (cleared.has(device)) return;
		for (const {gsi} of Object.values(device.lines)) {
			const next = takes(gsi);
			if (next !== undefined) visit(next, [...path, device]);
		}
		cleared.add(device);
	};
	for (const device of devices) visit(device, []);
}

/** Slots of a back beside those of its queues. */
const ownSlots = 2;

/** The slot of a rest that the guest has asked for. */
export const restSlot = ({slot}: PlacedCalls): number => slot + 1;

/** The slot of a queue. */
export const queueSlot = ({slot}: PlacedCalls, queue: number): number => slot + ownSlots + queue;

/** The worker that has a queue. */
export const workerOf = ({workers, firstWorker}: PlacedCalls, queue: number): number => (firstWorker + queue) % workers;

/** Counts the workers that these devices want; what is impossible is refused when the machine is laid out. */
export function workersFor(instances: readonly DeviceInstance[], findModel: ModelFinder): number {
	const wanted = instances.map(({kind, config}) => findModel(kind)?.workers?.(config) ?? 1);
	return Math.max(1, ...wanted.filter((workers) => workers <= mostWorkers));
}

/** @throws VmmError DEVICE_HOST_MEMORY_EXHAUSTED */
export function allocateHostMemory(
	{name, config}: DeviceInstance,
	model: AnyDeviceModel,
): SharedArrayBuffer | undefined {
	const bytes = model.hostMemory?.(config) ?? 0;
	if (bytes === 0) return undefined;
	try {
		const isSaved = (model.savedMemory?.(config).length ?? 0) > 0;
		return isSaved ? allocateSharedPages(bytes) : new SharedArrayBuffer(bytes);
	} catch (cause) {
		throw machineError('DEVICE_HOST_MEMORY_EXHAUSTED', {name, bytes}, {cause});
	}
}

/** @throws VmmError DEVICE_HOST_MEMORY_EXHAUSTED */
export function findCommonMemory(
	{name, config}: DeviceInstance,
	model: AnyDeviceModel,
	memories: CommonMemories,
): SharedArrayBuffer | undefined {
	const wanted = model.commonMemory?.(config);
	if (wanted === undefined) return undefined;
	try {
		return memories.find(wanted);
	} catch (cause) {
		throw machineError('DEVICE_HOST_MEMORY_EXHAUSTED', {name, bytes: wanted.bytes}, {cause});
	}
}

/**
 * Finds a place for what calls for a device's back.
 * @param others - devices that have theirs
 * @param machineWorkers - how many the machine has
 * @throws VmmError for doorbells and workers that cannot be
 */
export function placeCalls(
	{name, config}: DeviceInstance,
	model: AnyDeviceModel,
	others: readonly PlacedDevice[],
	machineWorkers: number,
): PlacedCalls | undefined {
	const declared = model.doorbells?.(config) ?? [];
	if (model.back === undefined && model.owned === undefined) {
		if (declared.length > 0) throw machineError('DEVICE_DOORBELL_WITHOUT_BACK', {name});
		return undefined;
	}
	const queues = checkDoorbells(name, declared, model.regions(config), model.state.fields);
	const {firstWorker = 0, mayWait = false} = model;
	const wanted = model.workers?.(config) ?? 1;
	// One that leaves a thread to the others does so where there is a further one.
	const workers = mayWait ? Math.min(wanted, machineWorkers) : wanted;
	const most = Math.min(Math.max(1, queues) + firstWorker, mostWorkers, machineWorkers);
	if (!(Number.isInteger(workers) && workers >= 1 && workers <= most))
		throw machineError('DEVICE_WORKERS_IMPOSSIBLE', {name, workers, most});
	const taken = others.flatMap(({calls}) => calls ?? []);
	const slot = firstGap(
		taken.map((calls) => [calls.slot, ownSlots + calls.queues]),
		ownSlots + queues,
	);
	const doorbell = firstGap(
		taken.map((calls) => [calls.doorbell, calls.doorbells]),
		declared.length,
	);
	if (slot + ownSlots + queues > readySlots || doorbell + declared.length > doorbellEntries)
		throw machineError('DEVICE_QUEUES_TOO_MANY', {name, slots: ownSlots + queues, doorbells: declared.length});
	return {slot, queues, workers, firstWorker, doorbell, doorbells: declared.length};
}

/** The first number from which so many are in none of the ranges. */
function firstGap(ranges: readonly (readonly [start: number, length: number])[], length: number): number {
	let start = 0;
	for (const [from, count] of [...ranges].sort(([a], [b]) => a - b)) {
		if (count === 0) continue;
		if (start + length <= from) break;
		start = Math.max(start, from + count);
	}
	return start;
}
