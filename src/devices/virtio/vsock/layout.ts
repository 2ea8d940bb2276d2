import {packed, u16, u32, u64} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.10.4). */
export const VsockConfig = packed('virtio_vsock_config', {guestCid: u64.asNumber}).sized(8, 'virtio 1.2, 5.10.4');

/** Header of every packet (5.10.6); on the event queue there are {@link VsockEvent}s. */
export const PacketHeader = packed('virtio_vsock_hdr', {
	sourceCid: u64.asNumber,
	targetCid: u64.asNumber,
	sourcePort: u32,
	targetPort: u32,
	/** Bytes behind the header. */
	length: u32,
	type: u16,
	operation: u16,
	flags: u32,
	/** Bytes that the sender keeps for what it receives of this connection, and how many it has handed on so far (5.10.6.3). */
	bufferBytes: u32,
	forwarded: u32,
}).sized(44, 'virtio 1.2, 5.10.6');

/** Types of sockets (5.10.6). */
export const streamType = 1;

/** Address of the host (5.10.4). */
export const hostCid = 2;

/** Operations (5.10.6). */
export const Operation = {
	REQUEST: 1,
	RESPONSE: 2,
	RST: 3,
	SHUTDOWN: 4,
	RW: 5,
	CREDIT_UPDATE: 6,
	CREDIT_REQUEST: 7,
} as const;

/** Flags of SHUTDOWN: the sender receives no more, and sends no more (5.10.6.5). */
export const Shutdown = {RECEIVE: 1, SEND: 2, both: 3} as const;

/** Events (5.10.6.7). */
export const VsockEvent = packed('virtio_vsock_event', {id: u32}).sized(4, 'virtio 1.2, 5.10.6.7');
export const eventTransportReset = 0;
