import type {GuestMemory} from '#devices/guest-memory';
import type {InterruptLine, MessageInterrupts} from '#devices/interrupts';
import type {VmTime} from '#devices/vm-time';
import type {Reactor} from '#support/reactor';
import type {StateVersions} from '#support/saved-state';
import type {Fields, StructSchema, StructView} from '#support/shared-memory';

/** Width of one access in bytes. The bus splits 8-byte accesses and accesses that leave a region. */
export type AccessSize = 1 | 2 | 4;

/** A range of ports or guest-physical addresses that a device answers. */
export interface Region {
	readonly space: 'pio' | 'mmio';
	/** Unique within the device; shown in inspect and in conflicts. */
	readonly name: string;
	readonly base: number;
	readonly length: number;
}

/** What a guest asked the machine to do; ends the run of every vCPU. */
export type MachineEvent =
	| {readonly kind: 'reset'}
	| {readonly kind: 'power-off'}
	| {readonly kind: 'hibernate'}
	/** The debug-exit port: ends the process with this status, 0–255. */
	| {readonly kind: 'exit'; readonly status: number};

/** What a device may use of the machine. One object per device and thread. */
export interface DeviceServices {
	/** The line for `name` as declared by {@link DeviceModel.lines}. */
	line(name: string): InterruptLine;
	readonly messages: MessageInterrupts;
	readonly time: VmTime;
	/** Guest RAM, for DMA. */
	readonly memory: GuestMemory;
	/** Stops the machine for a guest's request. Returns at once; takes effect after the current access. */
	request(event: MachineEvent): void;
	/** Wakes the device's back, which then gets {@link DeviceBack.notified}. A no-op without a back. */
	notifyBack(): void;
}

/**
 * A device's registers, as every thread can serve them. Called under the device's lock; bounded, never blocks, never
 * throws for anything a guest does. `region` is the index into {@link DeviceModel.regions}, `offset` lies inside it.
 */
export interface DeviceFront {
	/** Unsigned value of `size` bytes. */
	read(region: number, offset: number, size: AccessSize): number;
	/** `value` is unsigned and fits in `size` bytes. */
	write(region: number, offset: number, size: AccessSize, value: number): void;
	/** Called after the struct got its initial values, for resets that depend on the configuration. */
	reset?(): void;
	/** Called after the struct got saved values: tells the world what it has to know. Lines have their levels already. */
	restored?(): void;
}

/** A device's input and output, living on the one device worker that owns it. */
export interface DeviceBack {
	/** Begins I/O. Called on start and on every resume. */
	start(): void;
	/** Resolves when nothing is in flight. Called on pause and before reset, save and shutdown. */
	stop(): Promise<void>;
	/** The front called {@link DeviceServices.notifyBack} (once or more) since the last call. */
	notified(): void;
	/** Input from the owner of the terminal, for devices that take it; returns how much fitted. */
	feed?(bytes: Uint8Array): number;
	/** Releases host resources; nothing is called afterwards. */
	dispose(): void;
}

/**
 * A kind of device: its shared state as data and its behaviour as functions over it. From this come service on any
 * thread, reset (the struct's initial values), inspect and saved state (the struct, decoded).
 * @typeParam C - configuration: plain data that structured clone can copy
 * @typeParam T - the fields of the shared state; must contain no host addresses or file descriptors
 */
export interface DeviceModel<C, T extends Fields> {
	/** Names the kind in machine descriptions; kebab-case. */
	readonly kind: string;
	/**
	 * Makes a configuration of what a person wrote behind `--device PATH`. Without it the options are the configuration.
	 * What it throws is shown to that person.
	 */
	configure?(options: Readonly<Record<string, string>>): C;
	readonly state: StructSchema<T>;
	/** What has become of the state since it was first saved. */
	readonly versions?: StateVersions;
	regions(config: C): readonly Region[];
	/** Interrupt outputs: name to input number (GSI) of the interrupt controller. */
	lines?(config: C): Readonly<Record<string, number>>;
	front(config: C, state: StructView<T>, services: DeviceServices): DeviceFront;
	/** Present when the device talks to the world. `lock`ed access to the state: see {@link BackServices.locked}. */
	back?(config: C, state: StructView<T>, services: BackServices): DeviceBack;
}

/** What a back may use: the front's services, its thread's reactor, and the front itself under the device's lock. */
export interface BackServices extends DeviceServices {
	readonly reactor: Reactor;
	/** Runs `action` under the device's lock, as an access would. */
	locked<R>(action: () => R): R;
}

/** A device model whose type parameters are forgotten, as registries and machine descriptions hold it. */
// biome-ignore lint/suspicious/noExplicitAny: existential over configuration and state; each model is checked where it is written
export type AnyDeviceModel = DeviceModel<any, any>;

/** One device of one machine, as plain data. */
export interface DeviceInstance {
	/** Unique in the machine, e.g. `com1`. */
	readonly name: string;
	readonly kind: string;
	readonly config: unknown;
	/** Who serves its registers: any thread over shared state, or the device worker by mailbox. */
	readonly route: 'shared' | 'remote';
}
