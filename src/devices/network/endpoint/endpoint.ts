import type {DeviceNotice} from '#devices/device-type';
import type {Children} from '#support/inspect';
import type {Frame} from './frame.ts';

/** What somebody who takes frames does to them by itself. Who takes none of it is given plain frames, which the other side makes. */
export interface Offloads {
	/** Takes frames that need a checksum. */
	readonly checksum: boolean;
	/** Takes frames to be cut, of each kind; together with {@link checksum} alone. */
	readonly tcp4: boolean;
	readonly tcp6: boolean;
	readonly udp: boolean;
}

export const noOffloads: Offloads = {checksum: false, tcp4: false, tcp6: false, udp: false};
export const allOffloads: Offloads = {checksum: true, tcp4: true, tcp6: true, udp: true};

/**
 * The NIC, as what carries its frames sees it. All calls between the two are made on one thread, from the reactor, and come back at
 * once. An endpoint may answer {@link Endpoint.send} and {@link Endpoint.room} by {@link receive} on the spot; the NIC does nothing at once that
 * it is told.
 */
export interface Nic {
	/** Six bytes: the address that the guest was given. It may send from others. */
	readonly mac: Uint8Array;
	/** Most bytes of a packet, as the guest is told: 68–65535. Frames are 14 bytes longer, or 18 with a VLAN tag. */
	readonly mtu: number;
	/** Pairs of queues that the guest may use. */
	readonly pairs: number;
	/**
	 * Gives the guest a frame, with whatever is still to be done to it: what its driver does not do the NIC does. Frames that a guest
	 * cannot get, since it has not asked for their address, is down, or they are no frames, are taken too, and counted.
	 * @returns false where the guest has no room now. The endpoint keeps the frame and offers it again when {@link Endpoint.room} says
	 * so, or drops it: what it does is its kind's to state. Frames before {@link Endpoint.start} and after {@link Endpoint.stop} are refused so.
	 * @param pair - of the guest's queues whose flow it is of, where the endpoint knows
	 */
	receive(frame: Frame, pair?: number): boolean;
	/** There is room for a frame again, of which {@link Endpoint.send} has refused one. */
	room(): void;
	/** The other end of the wire is there, or has gone: the guest is told. It is there until this says something else. */
	carrier(isUp: boolean): void;
}

/**
 * What carries a NIC's frames: a host's interface, a switch, a socket, a network of our own. A network loses frames, and so may an
 * endpoint; it makes none up, changes none, and keeps the order of those that it passes on. What a guest sends may be anything of 14 to
 * `mostFrameBytes` bytes, but what the frame says of its own lies in it.
 */
export interface Endpoint {
	/** What it does to frames that {@link send} is given. */
	readonly takes: Offloads;
	/** Begins to pass frames on. */
	start(): void;
	/**
	 * Takes a frame of the guest's, or drops it.
	 * @param pair - of the guest's queues by which it comes; the first without this
	 * @returns false where there is no room now: the NIC keeps the frame, stops taking the guest's, and offers it again when
	 * {@link Nic.room} says so. A frame that nobody will take is taken and dropped.
	 */
	send(frame: Frame, pair?: number): boolean;
	/** The guest has room again, after {@link Nic.receive} has refused a frame. */
	room(): void;
	/**
	 * Passes nothing on any more until it is started again; resolves when nothing of it is under way. It may keep connections, frames that
	 * it has, or drop them: a guest that goes on in another machine finds none of them.
	 */
	stop(): void | Promise<void>;
	/**
	 * What the guest is to be told of where it goes on from a snapshot, once it has {@link stop}ped: bytes for {@link recall}.
	 * @param most - as many at most
	 */
	remember?(most: number): Uint8Array;
	/** The guest goes on from a snapshot with these bytes, which may be anybody's. After {@link start}. */
	recall?(remembered: Uint8Array): void;
	/** What keeps {@link stop} from its end, for people. */
	inFlight?(): string | undefined;
	/** Lets go of what it has of the host's; nothing is called afterwards. */
	dispose(): void | Promise<void>;
}

/** What there is to tell the machine's owner of an endpoint, from the memory that it shares. */
export interface EndpointReport {
	/** For inspect: counters and what it is connected to. Some may be writable. */
	nodes(): Children;
	/** What there is to tell since the last call: see `HostReport`. */
	notices?(): readonly DeviceNotice[];
}
