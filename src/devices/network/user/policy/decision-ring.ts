import {macText} from '#devices/network/packet';
import {array, bytes, packed, reserved, text, u8, u16, u32, type ViewOf, wire} from '#support/wire';
import type {Decision} from './verdict.ts';

/** Decisions that are kept where others look. */
const kept = 32;
const kinds = ['allow', 'refuse', 'redirect', 'answer'] as const;
const protocols = ['tcp', 'udp', 'dns', 'icmp'] as const;

const Record = packed('user_network_decision', {
	/** Tells it from those that had its place before; 0 while it is being written. */
	number: u32,
	/** How often it was decided since it has its place. */
	count: u32,
	kind: u8,
	protocol: u8,
	port: u16,
	mac: bytes(6),
	guest: text(63),
	address: text(46),
	name: text(94),
	detail: text(123),
}).sized(344);

/** Decisions, in shared memory. */
export const DecisionRing = wire('user_network_decisions', {
	/** How many there have been. */
	total: u32,
	reserved: reserved(4),
	records: array(Record, kept),
});
export type DecisionRingView = ViewOf<typeof DecisionRing>;

/** A network's decisions: no number of others takes a refusal's place. */
export interface DecisionRings {
	readonly refusals: DecisionRingView;
	readonly others: DecisionRingView;
}

/** Bytes of a network's. */
export const decisionBytes = 2 * DecisionRing.byteLength;

/** A network's decisions, where they lie in memory. */
export const decisionsOn = (memory: ArrayBufferLike, offset = 0): DecisionRings => ({
	refusals: DecisionRing.on(memory, offset),
	others: DecisionRing.on(memory, offset + DecisionRing.byteLength),
});

/** A decision as it was kept: what is too long is cut, and what is no plain character is `?`. */
export interface KeptDecision extends Decision {
	/** Of the guest, as it has sent last. */
	readonly mac: string;
}

/** How often one was decided, under the number of its place. */
export interface CountedDecision {
	readonly number: number;
	readonly count: number;
	readonly decision: KeptDecision;
}

/** What a guest has named may be anything: what is no plain character is shown as one. */
const shown = (value: string | undefined, length: number): string =>
	(value ?? '').replace(/[^\x20-\x7e]/g, '?').slice(0, length);

/** Decisions that have something in common. */
interface Share {
	readonly key: string;
	places: number;
}

/** What has a place: those of its guest, of these its protocol's, of these its reason's, of these its end's. */
interface Place {
	readonly index: number;
	readonly shares: readonly Share[];
}

/** Writes what is decided to a ring. */
export class DecisionWriter {
	readonly #ring: DecisionRingView;
	/** By all that they say, the oldest first. */
	readonly #places = new Map<string, Place>();
	readonly #shares = new Map<string, Share>();
	#number = 0;

	constructor(ring: DecisionRingView) {
		this.#ring = ring;
	}

	/** Counts a decision with those that are the same, or gives it a place. @param mac - of the guest, if it is still there */
	keep(decision: Decision, mac: Uint8Array = new Uint8Array(6)): void {
		const {kind, protocol, port} = decision;
		const guest = shown(decision.guest, 63);
		const address = shown(decision.address, 46);
		const name = shown(decision.name, 94);
		const detail = shown(decision.detail, 123);
		const key = [kind, protocol, port, macText(mac), guest, address, name, detail].join('\n');
		const known = this.#places.get(key);
		const index = known?.index ?? this.#nextIndex();
		const record = this.#ring.records[index] as DecisionRingView['records'][number];
		if (known !== undefined) record.count++;
		else {
			this.#places.set(key, {index, shares: this.#sharesOf([guest, protocol, detail, address || name])});
			this.#number = this.#number === 0xffff_ffff ? 1 : this.#number + 1;
			record.number = 0;
			record.count = 1;
			record.kind = kinds.indexOf(kind);
			record.protocol = protocols.indexOf(protocol);
			record.port = port ?? 0;
			record.mac.set(mac);
			record.guest = guest;
			record.address = address;
			record.name = name;
			record.detail = detail;
			record.number = this.#number;
		}
		// Behind what it counts: a reader that sees it there has seen all of it.
		this.#ring.total++;
	}

	/**
	 * A place that is free, or else the oldest of who has most: of the guest that has, of its protocol that has, of the reason, of the end. So those of
	 * a flood take each other's places.
	 */
	#nextIndex(): number {
		if (this.#places.size < kept) return this.#places.size;
		let [key, gone] = this.#places.entries().next().value as [string, Place];
		for (const [other, place] of this.#places) if (hasMore(place, gone)) [key, gone] = [other, place];
		this.#places.delete(key);
		for (const share of gone.shares) if (--share.places === 0) this.#shares.delete(share.key);
		return gone.index;
	}

	#sharesOf(words: readonly string[]): readonly Share[] {
		let key = '';
		return words.map((word) => {
			key += `${word}\n`;
			const share = this.#shares.get(key) ?? {key, places: 0};
			share.places++;
			this.#shares.set(key, share);
			return share;
		});
	}
}

/** Those that one has things in common with have more places than another's. */
function hasMore({shares}: Place, {shares: others}: Place): boolean {
	for (let level = 0; level < shares.length; level++) {
		const difference = (shares[level] as Share).places - (others[level] as Share).places;
		if (difference !== 0) return difference > 0;
	}
	return false;
}

/** The decisions that are kept, the oldest first. */
export const keptDecisions = (ring: DecisionRingView): readonly CountedDecision[] =>
	Array.from({length: kept}, (_, place) => countedAt(ring, place))
		.filter((each) => each !== undefined)
		.sort((one, other) => one.number - other.number);

/** Undefined where there is none, or another one is being written. */
function countedAt(ring: DecisionRingView, place: number): CountedDecision | undefined {
	const record = ring.records[place] as DecisionRingView['records'][number];
	const {number, count, kind, protocol, port, mac, guest, address, name, detail} = record;
	const decision = {
		kind: kinds[kind] ?? 'refuse',
		protocol: protocols[protocol] ?? 'tcp',
		guest,
		mac: macText(mac),
		address: address === '' ? undefined : address,
		port: port === 0 ? undefined : port,
		name: name === '' ? undefined : name,
		detail,
	};
	return number === 0 || record.number !== number ? undefined : {number, count, decision};
}

/** What was decided about, and why, in a line: `web (02:00:00:00:00:01) tcp 10.1.2.3 port 80: private networks are closed`. */
export function decisionText({protocol, guest, mac, address, port, name, detail}: KeptDecision): string {
	const where = protocol === 'icmp' ? `${address}` : `${address} port ${port ?? 0}`;
	const [end, other] = protocol === 'dns' ? [name ?? '', address] : [where, name];
	return `${guest} (${mac}) ${protocol} ${end}${other === undefined ? '' : ` (${other})`}${detail === '' ? '' : `: ${detail}`}`;
}

/** How often, behind such a line. */
export const timesText = (count: number): string => (count > 1 ? `, ${count} times` : '');
