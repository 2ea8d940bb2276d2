import type {ModelParts, Owned, OwnedDevice, OwnedServices} from '#devices/device';
import type {Chain} from '#devices/virtio/queue';

/** What the guest is offered (Linux `struct vmbus_channel_offer`), and the most that it gets of it. */
export interface VmbusOffer<C> {
	/** GUID of the interface, by which drivers bind. */
	readonly interface: string;
	/** GUID of this one, the same in every run of the machine. */
	instance(config: C): string;
	/** Pages of either ring, control page included; the guest chooses how many it opens a channel with. */
	readonly mostRingPages: number;
	/** Bytes of a packet's payload, either way. A longer one of the guest's is out of order. */
	readonly mostPayload: number;
	/** Packets of a channel that are taken and not completed. */
	readonly mostInFlight: number;
	/** Channels that it may open beside the first one. */
	readonly mostSubchannels: number;
}

/**
 * Pages of the guest's that need not adjoin, as one range of bytes. They are pinned as long as there is this object: the guest is told
 * only then that it has them back.
 */
export interface GuestPages extends Pick<Chain, 'read' | 'write' | 'pin'> {
	readonly length: number;
}

/** A packet of the guest's. It lives until it is completed, and one without completion until the next one is taken. */
export interface VmbusPacket {
	/** The guest waits for {@link VmbusChannel.complete}; a packet that it does not wait for is not to be completed. */
	readonly wantsCompletion: boolean;
	/** A transaction of the device's own, which this completes. */
	readonly completes?: bigint;
	/** A copy, which the guest does not reach: what has been checked does not change. */
	readonly payload: Uint8Array;
	/** The memory that it is about (a GPA-direct packet's). */
	readonly pages?: GuestPages;
}

/**
 * Two rings that the guest has opened. Whatever is sent interrupts the guest where its ring was empty and not masked. A ring
 * in which anything is out of order is read no more; the guest opens the channel anew.
 */
export interface VmbusChannel {
	/** 0 is the first one; subchannels follow. */
	readonly index: number;
	/** Processor that the guest wants interrupted. It may change. */
	readonly target: number;
	/** Takes the next packet; undefined while there is none, too many are in flight, or the guest has no room for one more completion. */
	next(): VmbusPacket | undefined;
	/** Ends a packet. There is room for it, since {@link next} has kept it; after a close nothing is done. */
	complete(packet: VmbusPacket, payload: Uint8Array): void;
	/** False where the guest's ring is full: {@link VmbusDevice.ready} comes when it has room. @param transaction - asks for a completion */
	send(payload: Uint8Array, transaction?: bigint): boolean;
}

/** A device of the device worker, of channels instead of registers. Open channels and their rings are saved by the bus. */
export interface VmbusDevice extends Omit<OwnedDevice, 'read' | 'write' | 'queueReady' | 'feed' | 'inputChanged'> {
	/** Comes for all that are open after a restore, too. False refuses. */
	opened(channel: VmbusChannel): boolean;
	/**
	 * Resolves when nothing of the channel's is in flight: then the guest gets its pages back. Follows a rescind, too. The first channel
	 * is closed after the others.
	 */
	closed(channel: VmbusChannel): Promise<void>;
	/** The guest has signalled: there are packets, or there is room again. True: see `DeviceBack.queueReady`. */
	ready(channel: VmbusChannel): boolean | undefined;
}

/** Services of a device on VMBus: no lines, since channels interrupt, and memory by packets only. */
export interface VmbusServices extends Pick<OwnedServices, 'reactor' | 'time'> {
	readonly vmbus: {
		/** Offers the first `count` subchannels; false where they are more than declared. */
		offerSubchannels(count: number): boolean;
		/** Takes the offer back. Resolves when the guest has closed and released what it had. */
		rescind(): Promise<void>;
	};
}

/** A kind of device on VMBus. It is offered while it is in the machine. */
export interface VmbusModel<C> extends Pick<ModelParts<C, never, never>, 'kind'> {
	readonly attach: {readonly vmbus: VmbusOffer<C>};
	readonly owned: Omit<Owned<C, VmbusServices>, 'make'> & {make(config: C, services: VmbusServices): VmbusDevice};
}
