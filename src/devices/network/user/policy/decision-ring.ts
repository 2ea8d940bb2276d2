import {array, bytes, packed, text, u8, u16, u32, type ViewOf, wire} from '#support/wire';
import type {Decision} from './verdict.ts';

/** Decisions that are kept where others look. */
const kept = 32;
const kinds = ['allow', 'refuse', 'redirect', 'answer'] as const;
const protocols = ['tcp', 'udp', 'dns', 'icmp'] as const;

const Record = packed('user_network_decision', {
	kind: u8,
	protocol: u8,
	port: u16,
	mac: bytes(6),
	guest: text(63),
	address: text(46),
	name: text(94),
	detail: text(123),
}).sized(336);

/** The last decisions, in shared memory. */
export const DecisionRing = wire('user_network_decisions', {
	/** Decisions so far: the next is written at this place, modulo their count. */
	count: u32,
	/** The same, and one more while it is being written. */
	begun: u32,
	records: array(Record, kept),
});
export type DecisionRingView = ViewOf<typeof DecisionRing>;

/** A decision as it was kept: what is too long is cut, and what is no plain character is `?`. */
export interface KeptDecision extends Decision {
	/** Of the guest, as it has sent last. */
	readonly mac: string;
}

/** What a guest has named may be anything: what is no plain character is shown as one. */
const shown = (value: string | undefined, length: number): string =>
	(value ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, length);

/** Keeps a decision in the place of the oldest. @param mac - of the guest, if it is still there */
export function keepDecision(ring: DecisionRingView, decision: Decision, mac: Uint8Array = new Uint8Array(6)): void {
	const record = ring.records[ring.count % kept];
	if (record === undefined) return;
	ring.begun++;
	record.kind = kinds.indexOf(decision.kind);
	record.protocol = protocols.indexOf(decision.protocol);
	record.port = decision.port ?? 0;
	record.mac.set(mac);
	record.guest = shown(decision.guest, 63);
	record.address = shown(decision.address, 46);
	record.name = shown(decision.name, 94);
	record.detail = shown(decision.detail, 123);
	ring.count++;
}

/**
 * The decisions that are kept, the oldest first.
 * @param known - how many there were before those that are wanted
 * @param count - how many there are
 */
export function keptDecisions(ring: DecisionRingView, known = 0, count = ring.count): readonly KeptDecision[] {
	const fresh = Math.min((count - known) >>> 0, kept);
	const found = Array.from({length: fresh}, (_, index) => decisionAt(ring, count - fresh + index));
	// The network goes on meanwhile: what it has written over since is somebody else's.
	return found.slice(Math.max(0, fresh + ((ring.begun - count) >>> 0) - kept));
}

function decisionAt(ring: DecisionRingView, number: number): KeptDecision {
	const {kind, protocol, port, mac, guest, address, name, detail} = ring.records[
		(number >>> 0) % kept
	] as DecisionRingView['records'][number];
	return {
		kind: kinds[kind] ?? 'refuse',
		protocol: protocols[protocol] ?? 'tcp',
		guest,
		mac: [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
		address: address === '' ? undefined : address,
		port: port === 0 ? undefined : port,
		name: name === '' ? undefined : name,
		detail,
	};
}

/** What was decided about, and why, in a line: `web (02:00:00:00:00:01) tcp 10.1.2.3 port 80: private networks are closed`. */
export function decisionText({protocol, guest, mac, address, port, name, detail}: KeptDecision): string {
	const where = protocol === 'icmp' ? `${address}` : `${address} port ${port ?? 0}`;
	const end = protocol === 'dns' ? (name ?? '') : `${where}${name === undefined ? '' : ` (${name})`}`;
	return `${guest} (${mac}) ${protocol} ${end}${detail === '' ? '' : `: ${detail}`}`;
}
