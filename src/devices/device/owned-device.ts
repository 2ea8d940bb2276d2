import type {Reactor} from '#support/reactor';
import type {
	AccessSize,
	AttachmentByBus,
	BackWork,
	Bus,
	DeviceBack,
	DeviceCommand,
	DeviceServices,
	ModelParts,
	PciMessages,
} from './device.ts';

/**
 * Name of what an owned device may attach to. Model-specific registers, hypercalls and configuration space need any thread's
 * answer.
 */
export type OwnedBus = Exclude<Bus, 'pciHost'>;

/** Services of an owned device, by what it attaches to. All of it is for the device worker; there is no lock to take. */
export type OwnedServices<B extends OwnedBus = 'regions'> = Omit<DeviceServices, 'notifyBack' | 'restBack'> & {
	readonly reactor: Reactor;
} & BackWork &
	(B extends 'pci' ? {readonly pci: PciMessages} : unknown);

/**
 * A device whose state is its own objects, which live on the device worker and nowhere else. Every call is made there, and
 * comes back at once but where a promise is allowed; it throws for nothing that a guest does. The state that it is made with is
 * that at power-on. It may be accessed before {@link start}.
 */
export interface OwnedDevice extends Pick<DeviceBack, 'open' | 'queueReady' | 'inFlight' | 'feed'> {
	/** Value of `size` bytes, for which the processor waits. Its sign, `region` and `offset` are as a front has them. */
	read(region: number, offset: number, size: AccessSize): number;
	/** `value` is unsigned and fits in `size` bytes. The processor waits until it is done. */
	write(region: number, offset: number, size: AccessSize, value: number): void;
	/** Takes on the state at power-on. All lines are low already, and nothing is in flight. */
	reset(): void;
	/** All that {@link restore} needs, in the declared version. Nothing is in flight. */
	save(): Uint8Array | Promise<Uint8Array>;
	/**
	 * Takes on the state that these bytes are, on a device just made. Lines have their levels already. Throws for bytes that it has not
	 * saved: a snapshot may be anybody's.
	 * @param version - 1 to the declared one
	 */
	restore(version: number, bytes: Uint8Array): void | Promise<void>;
	/** Gives its own report, as plain data. */
	inspect?(): object | Promise<object>;
	/** See {@link DeviceBack.start}. */
	start?(): void;
	/** See {@link DeviceBack.stop}. */
	stop?(): Promise<void>;
	/** An input of the model has another level than when this was called last, or than low after a reset. */
	inputChanged?(name: string, asserted: boolean): void;
	/** See `DeviceFront.control`. */
	control?(command: DeviceCommand): void;
	/** See {@link DeviceBack.dispose}. */
	dispose?(): void | Promise<void>;
}

/** Maker of an owned device, and the facts about its saved state. */
export interface Owned<C, S> {
	/** Of what {@link OwnedDevice.save} gives, from 1; counted up whenever that changes. */
	readonly version: number;
	/** The most bytes that it gives. */
	readonly mostBytes: number;
	/** Makes it, on the device worker. What it throws refuses the machine. */
	make(config: C, services: S): OwnedDevice;
}

/**
 * A kind of owned device: what a guest sees of it as data, and how it is made. Accesses go to it by mailbox, one after another.
 * @typeParam C - configuration, as of a `DeviceModel`
 * @typeParam B - what it attaches to
 */
export interface OwnedModel<C, B extends OwnedBus = 'regions'>
	extends Pick<ModelParts<C, never, never>, 'kind' | 'doorbells' | 'lines' | 'inputs'> {
	readonly attach: AttachmentByBus<C>[B];
	readonly owned: Owned<C, OwnedServices<B>>;
}
