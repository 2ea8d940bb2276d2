import {array, packed, text, u8, u16, u32, type ViewOf, wire} from '#support/wire';
import type {Decision} from './verdict.ts';

/** Decisions that are kept where others look. */
const kept = 32;
const kinds = ['allow', 'refuse', 'redirect', 'answer'] as const;
const protocols = ['tcp', 'udp', 'dns', 'icmp'] as const;

const Record = packed('user_network_decision', {
	kind: u8,
	protocol: u8,
	port: u16,
	address: text(46),
	name: text(94),
	detail: text(112),
}).sized(256);

/** The last decisions, in shared memory. */
export const DecisionRing = wire('user_network_decisions', {
	/** Decisions so far: the next is written at this place, modulo their count. */
	count: u32,
	padding: u32,
	records: array(Record, kept),
});
export type DecisionRingView = ViewOf<typeof DecisionRing>;

/** What a guest has named may be anything: what is no plain character is shown as one. */
const shown = (value: string | undefined, length: number): string =>
	(value ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, length);

/** Keeps a decision in the place of the oldest. */
export function keepDecision(ring: DecisionRingView, decision: Decision): void {
	const record = ring.records[ring.count % kept];
	if (record === undefined) return;
	record.kind = kinds.indexOf(decision.kind);
	record.protocol = protocols.indexOf(decision.protocol);
	record.port = decision.port ?? 0;
	record.address = shown(decision.address, 46);
	record.name = shown(decision.name, 94);
	record.detail = shown(decision.detail, 112);
	ring.count++;
}

/** The decisions that are kept, the oldest first, each in a line. */
export function keptDecisions(ring: DecisionRingView): readonly string[] {
	const first = Math.max(0, ring.count - kept);
	return Array.from({length: ring.count - first}, (_, index) => {
		const record = ring.records[(first + index) % kept];
		if (record === undefined) return '';
		const {kind, protocol, port, address, name, detail} = record;
		const where = protocols[protocol] === 'icmp' ? address : `${address} port ${port}`;
		const end = protocols[protocol] === 'dns' ? name : `${where}${name === '' ? '' : ` (${name})`}`;
		return `${kinds[kind]} ${protocols[protocol]} ${end}${detail === '' ? '' : `: ${detail}`}`;
	});
}
