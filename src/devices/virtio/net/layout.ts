import {bytes, packed, reserved, u8, u16, u32} from '#support/wire';

/** Device configuration space (virtio 1.2, 5.1.4). */
export const NetConfig = packed('virtio_net_config', {
	mac: bytes(6),
	status: u16,
	pairsMost: u16,
	mtu: u16,
	/** Megabits a second. */
	speed: u32,
	duplex: u8,
	/** Of receive-side scaling and hash reports, which are not offered. */
	hashes: reserved(7),
}).sized(24, 'virtio 1.2, 5.1.4');

/** Bits of its status. */
export const NetStatus = {LINK_UP: 1, ANNOUNCE: 2} as const;
export const fullDuplex = 1;

/** Requests on the control queue (5.1.6.5): classes, and their commands. */
export const ControlClass = {RECEIVE: 0, MAC: 1, VLAN: 2, ANNOUNCE: 3, PAIRS: 4, OFFLOADS: 5} as const;
export const ReceiveMode = {
	PROMISCUOUS: 0,
	ALL_MULTICAST: 1,
	ALL_UNICAST: 2,
	NO_MULTICAST: 3,
	NO_UNICAST: 4,
	NO_BROADCAST: 5,
} as const;
export const MacCommand = {TABLE: 0, ADDRESS: 1} as const;
export const VlanCommand = {ADD: 0, DELETE: 1} as const;
export const announceAcknowledged = 0;
export const setPairs = 0;
export const setOffloads = 0;
export const Answer = {OK: 0, ERROR: 1} as const;
