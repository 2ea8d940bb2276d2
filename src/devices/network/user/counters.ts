import {type PlainOf, u32, u64, type ViewOf, wire} from '#support/wire';

/** What a network counts of one guest, in memory that others look at. */
export const GuestCounters = wire('user_network_guest', {
	/** Frames from the guest and to it, and their bytes. */
	framesIn: u64.asNumber,
	framesOut: u64.asNumber,
	bytesIn: u64.asNumber,
	bytesOut: u64.asNumber,
	/** Frames for which the guest had no room, and datagrams for which the host had none; nothing sends them again. */
	dropped: u64.asNumber,
	/** Packets that are no packets, or whose checksums are wrong. */
	malformed: u64.asNumber,
	/** Of a kind that nobody here answers. */
	unanswered: u64.asNumber,
	fragments: u64.asNumber,
	reassembled: u64.asNumber,
	tcpOpened: u64.asNumber,
	tcpRefused: u64.asNumber,
	/** SYNs and ports for which the guest's share of the tables has no room. */
	tableFull: u64.asNumber,
	tcpRepeated: u64.asNumber,
	tcpReset: u64.asNumber,
	udpOpened: u64.asNumber,
	udpRefused: u64.asNumber,
	/** Echo requests that went on to the host's network. */
	echoes: u64.asNumber,
	dnsQuestions: u64.asNumber,
	dhcpAnswers: u64.asNumber,
	/** At this moment. */
	tcpConnections: u32,
	udpFlows: u32,
	buffered: u64.asNumber,
	allowed: u64.asNumber,
	refused: u64.asNumber,
	redirected: u64.asNumber,
	answered: u64.asNumber,
	/** Decisions that are in the network's file, and those that are not. */
	decisionsWritten: u64.asNumber,
	decisionsLost: u64.asNumber,
});
export type GuestCountersView = ViewOf<typeof GuestCounters>;
export type GuestCounts = PlainOf<typeof GuestCounters>;
