import type {GuestMemory} from '#devices/guest-memory';
import type {InterruptLine, MessageInterrupts} from '#devices/interrupts';
import type {VmTime} from '#devices/vm-time';
import type {Reactor} from '#support/reactor';
import type {ProgramCaller, ProgramHandle} from '#support/rpc';
import type {StateVersions} from '#support/saved-state';
import type {Fields, FieldsView, Wire} from '#support/wire';
import type {AccessContext, ProcessorFront} from './processor-access.ts';

/** Width of one access in bytes. The bus splits 8-byte accesses and accesses that leave a region. */
export type AccessSize = 1 | 2 | 4;

/** A range of ports, guest-physical addresses, model-specific registers, hypercall codes or guarding trust levels that a device answers for. */
export interface Region {
	/**
	 * `bar`, `pages` and `config` are a PCI function's: the guest decides where its BARs lie, and their base is 0. `pages` is a BAR
	 * that is memory: see {@link PciBar.pages}.
	 */
	readonly space: 'pio' | 'mmio' | 'msr' | 'hypercall' | 'intercept' | 'bar' | 'pages' | 'config';
	/** Unique within the device; shown in inspect and in conflicts. */
	readonly name: string;
	readonly base: number;
	readonly length: number;
	/** Ports that any other device has that asks for them, and a PCI function whose BAR the guest places there. */
	readonly yields?: true;
}

/**
 * A write of the guest that says that a queue has work, and at most how far. It reaches the worker that has the queue past the
 * front, the device's lock and, where the back end can and no value is kept, the vCPU's thread.
 */
export interface DoorbellDeclaration {
	/** Index into the regions, as fronts get it: ports, or memory that MSI-X does not have for itself. */
	readonly region: number;
	readonly offset: number;
	/** Other widths are accesses to the front. */
	readonly size: AccessSize | 'any';
	/** Other values are accesses to the front. */
	readonly match?: number;
	/** Number of the queue that {@link DeviceBack.queueReady} is told of. Several doorbells may lead to one queue. */
	readonly queue: number;
	/**
	 * Receives the value before the queue's worker is told: the element `index` of an array of 32-bit words of the state, by one
	 * atomic store. It may be any. Not together with {@link match}.
	 */
	readonly stores?: {readonly field: string; readonly index: number};
}

/** A range of addresses that the guest places (PCI Express Base 6.0, 7.5.1.2.1). */
export interface PciBar {
	/** Register 0–5; a 64-bit BAR takes the next one too. */
	readonly index: number;
	/** A power of two, from 16 bytes (4 ports) to 4 GiB (256 ports). */
	readonly size: number;
	/** Without it `memory32`. `prefetchable` is 64-bit and for memory whose reads have no effect. */
	readonly kind?: 'memory32' | 'memory64' | 'prefetchable' | 'io';
	/**
	 * Makes it memory, which the guest maps where it has the BAR: its accesses are told to nobody, and the device has the memory by
	 * {@link PciServices.pages}. Such a BAR is `prefetchable` and has at least 4096 bytes. What is in it is zero at first, is the
	 * device's to clear at a reset, and goes into snapshots (`saved`, up to 16 MiB) or is zero after a restore (`unsaved`). `mapped` is
	 * as `unsaved`, and the device's back maps over it what the host may have no page for later, as of a file that is cut: who meets that
	 * makes the device fail, and nothing else.
	 */
	readonly pages?: 'saved' | 'unsaved' | 'mapped';
}

/**
 * Destination of a line: an input of the interrupt controller (GSI) by its number, or one that the machine assigns. `shared` is
 * for a level that stays up until the guest has seen to it, since others may drive the input too; `own` is for a line alone.
 */
export type LineInput = number | 'shared' | 'own';

/** Declaration of a device as a function on PCI Express. */
export interface PciFunction<C> {
	readonly vendor: number;
	readonly device: number;
	/** Class, subclass and programming interface, 24 bits (PCI Code and ID Assignment 1.11). */
	readonly class: number;
	readonly revision?: number;
	readonly subsystem?: {readonly vendor: number; readonly device: number};
	/** Accesses to them are accesses to the regions 0, 1, … of the front, in this order. */
	readonly bars?: readonly PciBar[];
	/** BARs whose sizes depend on the configuration, behind those of {@link bars}. */
	moreBars?(config: C): readonly PciBar[];
	/** The device's own, beside those that come of the rest of the declaration: Express, MSI and MSI-X. */
	capabilities?(config: C): readonly PciCapability[];
	/**
	 * Memory behind its port reads as zeros when it has been pulled out without the guest's consent, until the guest turns the slot
	 * off or another device comes: for drivers that wait for a register to be zero. All ones where it is not given, as hardware has it.
	 */
	readonly leavesZeros?: boolean;
	readonly interrupts?: {
		/**
		 * Names for {@link DeviceServices.line}, in the order of the vectors. A line that rises sends its vector's message
		 * where the guest has turned messages on; else the lines together drive INTA.
		 */
		readonly vectors: readonly string[];
		/** Offers MSI, to at most 32 vectors. */
		readonly msi?: boolean;
		/**
		 * Offers MSI-X, with its table in the BAR of this index: one of {@link bars}, at these offsets, or else a BAR of
		 * its own.
		 */
		readonly msix?: {readonly bar: number; readonly table?: number; readonly pending?: number};
	};
}

/** A capability of a device's own in its configuration space, as data. */
export interface PciCapability {
	/** PCI Code and ID Assignment 1.11, 2, or 3 where {@link extended} is given. */
	readonly id: number;
	/** Makes it an extended one, of this version. */
	readonly extended?: number;
	/**
	 * All of it after reset, as its specification lays it out. The platform fills in the header: two bytes, four of an extended
	 * one.
	 */
	readonly bytes: Uint8Array;
	/** Bits that hold what the guest writes, in as many bytes; all others do not change. */
	readonly writable?: Uint8Array;
	/** Bits that the device changes by {@link PciCapabilityRegisters.set}. */
	readonly live?: Uint8Array;
	/** Offset that it has to have, for drivers that do not follow the list. Else the platform finds room for it. */
	readonly at?: number;
}

/** A capability of a device's own as it is now. Offsets are within it. */
export interface PciCapabilityRegisters {
	read(offset: number, size: AccessSize): number;
	/** Changes those bits that are declared to be live or writable. */
	set(offset: number, size: AccessSize, value: number): void;
}

/** A function's place: a root complex or a port by its device's name, and the number on the bus that it leads to. */
export interface PciPlace {
	readonly on: string;
	/** Device number times 8 plus function number. */
	readonly devfn: number;
}

/** Services of a slot for the platform's functions. */
export interface PciSlot {
	/** This function or those behind it may answer elsewhere now. */
	decodeChanged(): void;
	/** Other functions have the same device number. */
	readonly isShared: boolean;
	/** There is a function behind this port. */
	readonly occupied: boolean;
	/** Gives everything behind this bridge its state at power-on. Takes the locks of what is behind it, one at a time. */
	resetBehind(): void;
	/**
	 * Has the device worker stop this function's back, give the function its state at power-on and start the back again;
	 * until then it answers no configuration access. False where there is no back to wait for, and nothing was done.
	 */
	resetWithBack(): boolean;
	/** One word: the function's interrupt registers as a sequence lock, whose owner has the device's lock. */
	readonly interruptSequence: Int32Array;
	/** The memory that a region of space `pages` is. */
	pages(region: number): GuestMemory;
}

/** Configuration space of every function of the machine, for whoever has another way to it than ECAM. */
export interface PciConfigAccess {
	/** All ones where no function answers. */
	read(segment: number, bus: number, devfn: number, offset: number, size: AccessSize): number;
	write(segment: number, bus: number, devfn: number, offset: number, size: AccessSize, value: number): void;
}

/** A function's interrupt messages: one at each call, where a line sends one when it rises. */
export interface PciMessages {
	/** The guest has turned MSI or MSI-X on: lines do not drive INTA. */
	readonly enabled: boolean;
	/**
	 * Sends the message of a vector, or leaves it pending while it is masked. For any thread, with or without the device's lock: a
	 * back completes requests while processors are at the device's registers. Allocates nothing.
	 * @returns false where messages are off or there is no such vector: nothing was done, and a line is to be driven
	 */
	signal(vector: number): boolean;
}

/** Services of the bus for a function on it. */
export interface PciServices extends PciMessages {
	/** The device's own capability, by its index in {@link PciFunction.capabilities}. For use under the device's lock. */
	capability(index: number): PciCapabilityRegisters;
	/**
	 * The memory that the BAR of this index is. Addresses are offsets in it, wherever the guest has the BAR and whether or not the
	 * function is a bus master. The guest's processors read and write it at the same time.
	 */
	pages(bar: number): GuestMemory;
	/** Address that the guest has given the BAR of {@link pages}, whether or not it answers there. For use under the device's lock. */
	pagesAddress(bar: number): number;
}

/** A guest's request to its machine; ends the run of every vCPU. */
export type MachineEvent =
	| {readonly kind: 'reset'}
	| {readonly kind: 'power-off'}
	| {readonly kind: 'hibernate'}
	/** The guest's kernel reports its own panic. */
	| {readonly kind: 'crash'}
	/** The guest did not tell its watchdog in time that it is alive. */
	| {readonly kind: 'watchdog'}
	/** The debug-exit port: ends the process with this status, 0–255. */
	| {readonly kind: 'exit'; readonly status: number};

/** Services of the machine for a device. One object per device and thread. */
export interface DeviceServices {
	/** The line for `name` as declared by {@link DeviceModel.lines}. */
	line(name: string): InterruptLine;
	/** The level of the input for `name` as declared by {@link DeviceModel.inputs}. */
	isAsserted(name: string): boolean;
	readonly messages: MessageInterrupts;
	readonly time: VmTime;
	/** Processor that makes the access which is being served; for devices that answer each one differently. */
	readonly access: AccessContext;
	/** Guest RAM, for DMA. */
	readonly memory: GuestMemory;
	/** Stops the machine for a guest's request. Returns at once; takes effect after the current access. */
	request(event: MachineEvent): void;
	/** Wakes the device's back, which then gets {@link DeviceBack.notified}, on each of its workers. A no-op without a back. */
	notifyBack(): void;
	/**
	 * Has the device's back stop on each of its workers, calls {@link DeviceFront.rested} when nothing is in flight on any of them, and
	 * starts them again. Asking again before that changes nothing. For use under the device's lock, or in a back's `start`.
	 */
	restBack(): void;
}

/** Further services of a function on PCI Express. {@link memory} refuses it while the guest has not made it a bus master. */
export interface PciDeviceServices extends DeviceServices {
	readonly pci: PciServices;
}

/** Further services of a way to configuration space. */
export interface PciHostDeviceServices extends DeviceServices {
	/** All ones where the machine has no PCI. */
	readonly configSpace: PciConfigAccess;
}

/** All that the machine has for a device, of any kind. `completeModel` passes on what the attachment is for. */
export interface MachineServices extends PciHostDeviceServices {
	/** Slot of a PCI function. */
	readonly slot?: PciSlot;
}

/** Names of what a device attaches to, and what its front and its back get for it. */
export interface ServicesByBus {
	readonly regions: DeviceServices;
	readonly pci: PciDeviceServices;
	readonly pciHost: PciHostDeviceServices;
}

/** Name of what a device attaches to. */
export type Bus = keyof ServicesByBus;

/** A device's declaration of its attachment, by what it attaches to. */
export interface AttachmentByBus<C> {
	/** Ports, addresses, model-specific registers and hypercall codes that are the device's wherever it is. */
	readonly regions: {regions(config: C): readonly Region[]};
	/** PCI Express, where the guest gives a function its addresses. */
	readonly pci: {
		readonly pci: PciFunction<C>;
		/** Fixed addresses that it has besides; they have the numbers after its BARs'. */
		regions?(config: C): readonly Region[];
	};
	/** Regions that lead to configuration space of the machine's PCI functions. */
	readonly pciHost: {pciHost(config: C): readonly Region[]};
}

/**
 * A device's registers, as every thread can serve them. Called under the device's lock; bounded, never blocks, never
 * throws for anything a guest does. `region` is the index into the regions of {@link DeviceModel.attach} (a PCI function's
 * BARs come first), `offset` lies inside it.
 */
export interface DeviceFront extends ProcessorFront {
	/** Value of `size` bytes, unsigned. One of 4 bytes may be signed (`value | 0`): V8 makes an object of a number from 2^31 on. */
	read(region: number, offset: number, size: AccessSize): number;
	/** `value` is unsigned and fits in `size` bytes. */
	write(region: number, offset: number, size: AccessSize, value: number): void;
	/** Called after the struct got its initial values, for resets that depend on the configuration. */
	reset?(): void;
	/** The rest that {@link DeviceServices.restBack} was asked for has come: nothing of the device is in flight. */
	rested?(): void;
	/**
	 * A level of {@link DeviceModel.inputs} changed. Called by the thread that drives it, which holds its own device's lock.
	 * @param rose - the input was high already, has fallen and is high again ({@link InterruptLine.rise})
	 */
	inputChanged?(name: string, rose: boolean): void;
	/** Does what the machine's owner asks for. Must not throw for a command of its own kinds; others are ignored. */
	control?(command: DeviceCommand): void;
	/** Called after the struct got saved values: tells the world what it has to know. Lines have their levels already. */
	restored?(): void;
}

/** The registers of a PCI function. Offsets in a capability of its own are within it. */
export interface PciFront extends Omit<DeviceFront, keyof ProcessorFront> {
	/** Has another value than configuration space holds, which the guest is to read; undefined for that one. */
	capabilityRead?(capability: number, offset: number, size: AccessSize): number | undefined;
	/** The guest has written, and configuration space holds what it wrote of the writable bits. */
	capabilityWritten?(capability: number, offset: number, size: AccessSize): void;
}

/** A device's front, by what it attaches to. */
export interface FrontByBus {
	readonly regions: DeviceFront;
	readonly pci: PciFront;
	readonly pciHost: DeviceFront;
}

/** Request of the machine's owner to a device beyond its registers, as plain data: a button pressed, a new id. */
export interface DeviceCommand {
	readonly kind: string;
}

/** What the machine's owner wants to be otherwise in a device's configuration, as plain data: a disk more. */
export interface ConfigChange {
	readonly kind: string;
}

/** A device's input and output, living on the device worker that owns it. Where it has several workers, each has a back of its own. */
export interface DeviceBack {
	/**
	 * Opens what takes its time, as a file does, and resolves when it is there. Called once, before all else but {@link inFlight}
	 * and {@link dispose}. A rejection refuses the machine, or the device that was to come, as what the making throws does.
	 */
	open?(): Promise<void>;
	/** Begins I/O. Called on start, on every resume, and after a rest or a reset that the guest has asked for. */
	start(): void;
	/**
	 * Resolves when nothing is in flight. Called on pause and before any reset, save and shutdown.
	 * @param isReset - the guest has reset the device: it waits for nothing any more, and what is not begun need not be done
	 */
	stop(isReset?: boolean): Promise<void>;
	/** What is in flight, for people, while {@link open}, {@link stop} or {@link dispose} does not come to its end. */
	inFlight?(): string | undefined;
	/** The front called {@link DeviceServices.notifyBack} (once or more) since the last call. */
	notified(): void;
	/**
	 * A doorbell of the queue has rung since the last call, or the back was started. True: there is more to do, and others are to
	 * have their turn first. Only for queues of this worker.
	 */
	queueReady?(queue: number): boolean | undefined;
	/**
	 * The machine's owner asks for something. Called on each worker before {@link DeviceFront.control} is, which has them look: for what belongs in no snapshot, such as
	 * a path of the host's.
	 */
	control?(command: DeviceCommand): void;
	/**
	 * Follows a configuration of `ModelParts.reconfigure`, or back to the one before. While it is stopped. A rejection refuses the change: it is to be as
	 * it was, also where another one comes before this has settled.
	 */
	reconfigure?(config: unknown): Promise<void>;
	/** Input from the owner of the terminal, for devices that take it; returns how much fitted. */
	feed?(bytes: Uint8Array): number;
	/** Releases host resources; nothing is called afterwards but {@link inFlight}. Resolves when they are released, where that takes its time. */
	dispose(): void | Promise<void>;
}

/**
 * A kind of device: its shared state as data and its behaviour as functions over it. From this come service on any
 * thread, reset (the struct's initial values), inspect and saved state (the struct, decoded).
 * @typeParam C - configuration: plain data that structured clone can copy
 * @typeParam T - the fields of the shared state; must contain no host addresses or file descriptors
 * @typeParam B - what it attaches to
 */
export interface DeviceModel<C, T extends Fields, B extends Bus = 'regions'>
	extends ModelParts<C, T, ServicesByBus[B], FrontByBus[B]> {
	readonly attach: AttachmentByBus<C>[B];
}

/**
 * Parts of every device model.
 * @typeParam S - what its attachment gives it
 * @typeParam F - what its attachment asks of it
 */
export interface ModelParts<C, T extends Fields, S extends DeviceServices, F extends DeviceFront = DeviceFront> {
	/** Names the kind in machine descriptions; kebab-case. */
	readonly kind: string;
	readonly state: Wire<T>;
	/** History of the state since it was first saved. */
	readonly versions?: StateVersions;
	/** Writes that reach {@link DeviceBack.queueReady} instead of the front. Needs a back. */
	doorbells?(config: C): readonly DoorbellDeclaration[];
	/**
	 * Gives the number of workers that have its queues: queue `q` is of worker `(firstWorker + q) % workers`. One without this; no more than
	 * {@link mostWorkers}, and than it takes for each to have a queue.
	 */
	workers?(config: C): number;
	/** The worker of its first queue; 0 without this. Those before it have none, so that what waits is not on the thread of all devices, which is worker 0. */
	readonly firstWorker?: number;
	/**
	 * Its back makes calls that wait for something of the host's, a file system: its machine's devices have threads that no other machine's are on. It leaves
	 * one to the others where it can: when it comes to a machine with fewer workers than it wants, it has those that there are.
	 */
	readonly mayWait?: boolean;
	/** Bytes of the host's memory that its backs have together: zero at first, and in no snapshot but for {@link savedMemory}. */
	hostMemory?(config: C): number;
	/** Memory of the host's that its backs have in common with those of other devices and machines of this process: the same name, the same memory. */
	commonMemory?(config: C): CommonMemory | undefined;
	/** Parts of {@link hostMemory} that snapshots have, which begins with a page where there are any. Backs check what they find there: it may be anybody's. */
	savedMemory?(config: C): readonly SavedMemory[];
	/** Interrupt outputs, by their names. */
	lines?(config: C): Readonly<Record<string, LineInput>>;
	/**
	 * Interrupt inputs that lead to this device instead of the interrupt controller: name to number. The lock of the
	 * device that drives one is held while this one's is taken: a machine in which what it drives in turn leads back is refused.
	 */
	inputs?(config: C): Readonly<Record<string, number>>;
	/**
	 * Says why a command of the machine's owner can never be done, of a device so configured, as the end of a sentence whose subject is the device. Who asks is
	 * told that, and {@link DeviceFront.control} is not called.
	 */
	refuses?(command: DeviceCommand, config: C): string | undefined;
	/**
	 * The configuration that a device goes on with when its machine's owner has it changed, while nothing runs: what it is for others stays, as queues and
	 * regions. Fronts are made anew, and backs follow by {@link DeviceBack.reconfigure}.
	 * @param hostMemory - as the backs have it
	 * @returns it, and the number of what has come or gone
	 * @throws VmmError where it cannot be
	 */
	reconfigure?(
		config: C,
		change: ConfigChange,
		hostMemory: SharedArrayBuffer | undefined,
	): {readonly config: C; readonly number: number};
	front(config: C, state: FieldsView<T>, services: S): F;
	/** Present when the device talks to the world. `lock`ed access to the state: see {@link BackParts.locked}. */
	back?(config: C, state: FieldsView<T>, services: S & BackParts): DeviceBack;
}

/** Memory that devices have in common: zero at first, and in no snapshot. It goes with the last machine that has it. */
export interface CommonMemory {
	/** Tells it from others, also to people: `switch/lan`. Of another length it is another one. */
	readonly name: string;
	readonly bytes: number;
}

/** Part of a device's host memory that snapshots have. */
export interface SavedMemory {
	/** Tells it from the device's others, also to people: `disk/memdiff`. */
	readonly name: string;
	/** In the host memory. Both are of whole pages, in bytes. What a snapshot has may be shorter. */
	readonly offset: number;
	readonly length: number;
	/** It may be zeros where a snapshot has nothing of it: what its guest goes on with is elsewhere. */
	readonly mayBeNew: boolean;
}

/** Most workers that one device may have: each is a thread. */
export const mostWorkers = 8;

/** One of a device's workers. */
export interface DeviceWorkerPlace {
	readonly index: number;
	readonly count: number;
}

/** Services for work that goes on by itself on a device worker. */
export interface BackWork {
	/**
	 * Keeps track of a promise: the device has come to rest when none is under way, and fails with one that is rejected. What keeps the device
	 * from its rest is told by name.
	 * @param what - the promise is for, such as `a write of the log`; in few words and few kinds
	 */
	track(promise: Promise<unknown>, what?: string): void;
	/**
	 * Resolves when no promise that is tracked is under way. For what a {@link DeviceBack.stop} has to do after that; the platform waits by itself. Not
	 * for a promise that is tracked, which would wait for itself.
	 */
	drained(): Promise<void>;
	/**
	 * Has {@link DeviceBack.queueReady} called for a queue of this worker, as its doorbell does: from a watch or a timer, say.
	 * @throws RangeError for any other queue
	 */
	serve(queue: number): void;
	/** Calls of functions that the machine's program has in the configuration: see `ValueType.detach`. They end with the device. */
	readonly program: ProgramCaller;
	/** What devices of this machine have in common on this worker, by names that tell whose it is. Who puts something in takes it out again. */
	readonly together: Map<string, unknown>;
}

/** Services of a back beside its front's. */
export interface BackParts extends BackWork {
	readonly reactor: Reactor;
	/** Number of this worker among the device's, from 0 on, and their count. */
	readonly worker: DeviceWorkerPlace;
	/** Memory that {@link ModelParts.hostMemory} asked for. */
	readonly hostMemory: SharedArrayBuffer | undefined;
	/** Memory that {@link ModelParts.commonMemory} asked for. */
	readonly commonMemory: SharedArrayBuffer | undefined;
	/** Tells the machine's owner that there is something for it in the host memory: see `DeviceType.report`. */
	noticed(): void;
	/** Runs `action` under the device's lock, as an access would. */
	locked<R>(action: () => R): R;
}

/** Services of a back, by what its device attaches to. */
export type BackServices<B extends Bus = 'regions'> = ServicesByBus[B] & BackParts;

/** One device of one machine, as plain data. */
export interface DeviceInstance {
	/** Unique in the machine, e.g. `com1`. */
	readonly name: string;
	readonly kind: string;
	readonly config: unknown;
	/** Its options that the guest can tell, for snapshots; see `DeviceType.options`. */
	readonly options?: Readonly<Record<string, unknown>>;
	/** Place of a PCI function; other devices have none. */
	readonly place?: PciPlace;
	/** What the machine's program keeps for it. */
	readonly programObjects?: readonly ProgramHandle[];
}
