import {array, bytes, type FieldsView, u32, wire} from '#support/wire';

/** Addresses that a driver may give to a table; with more it gets all. */
export const mostAddresses = 64;
export const macLength = 6;
const vlans = 4096;
/** Bytes that a NIC's endpoint may have in a snapshot. */
export const mostRemembered = 8192;

/** Bits of {@link NetState}'s modes, in the order of the commands that set them (virtio 1.2, 5.1.6.5.1), and two more. */
export const Mode = {
	/** The driver has said that it does not want all frames, which it gets until then: the first command turned round. */
	SELECTIVE: 1,
	ALL_MULTICAST: 2,
	ALL_UNICAST: 4,
	NO_MULTICAST: 8,
	NO_UNICAST: 16,
	NO_BROADCAST: 32,
	/** The driver has given more addresses than there is room for. */
	UNICAST_OVERFLOW: 64,
	MULTICAST_OVERFLOW: 128,
} as const;

export const NetState = wire('virtio-net', {
	/** Its own address, which a guest that goes on from a snapshot keeps; zero before it has been started once. */
	mac: bytes(macLength),
	/** 1 where the machine's owner has taken the link down. */
	isDown: u32,
	/** What the driver wants to get: bits of {@link Mode}. */
	modes: u32,
	/** Its tables of addresses: how many of each kind, one behind the other, and a bit for each VLAN. */
	unicast: u32,
	multicast: u32,
	addresses: bytes(mostAddresses * macLength),
	vlans: array(u32, vlans / 32),
	/** 1 once it has said what is to be left to it of frames that it gets: then bits of features, 0–31 and 32–63. */
	hasOffloads: u32,
	offloads: array(u32, 2),
	/** Pairs of queues that it gets frames by; 0 for one. */
	pairs: u32,
	/** What its endpoint has it told where it goes on from a snapshot: how many bytes, and these. */
	rememberedBytes: u32,
	remembered: bytes(mostRemembered),
});
export type NetStateView = FieldsView<typeof NetState.fields>;

/** What the driver has said is forgotten; what the owner has said is not. */
export function forgetDriver(state: NetStateView): void {
	state.modes = state.unicast = state.multicast = state.hasOffloads = state.pairs = state.rememberedBytes = 0;
	state.addresses.fill(0);
	state.vlans.fill(0);
	state.offloads.fill(0);
}
