import {addressLength, type IpPacket, mostCarried} from './packet.ts';
import type {Fragment} from './read.ts';

/** Packets of one guest that are waited for. */
const mostPackets = 16;
/** Fragments of one packet: 64 KiB in pieces for IPv6's smallest link, and more. */
const mostFragments = 64;
/** How long the rest of a packet is waited for (RFC 8200, 4.5: 60 s at most; RFC 791, 3.2: 15 s at least), in milliseconds. */
const patienceMs = 30_000;

interface Piece {
	readonly offset: number;
	readonly end: number;
	readonly bytes: Uint8Array;
}

interface Incomplete {
	readonly pieces: Piece[];
	readonly sinceMs: number;
	/** Length of the whole; known once the last piece is there. */
	total: number | undefined;
	/** Its pieces contradict each other: what else comes of it is dropped with it. */
	isBroken: boolean;
}

/**
 * Makes whole packets of fragments. Nobody looks into a packet before it is whole, so that none passes in pieces what it would not
 * pass as one; pieces that overlap make the packet worthless (RFC 5722, and for IPv4 alike).
 */
export class Fragments {
	readonly #incomplete = new Map<string, Incomplete>();

	get size(): number {
		return this.#incomplete.size;
	}

	/** Takes a fragment. @returns the whole packet once this has been its last missing piece */
	take(fragment: Fragment, nowMs: number): IpPacket | undefined {
		const {bytes, start, end, offset, isLast} = fragment;
		this.#forget(nowMs);
		const key = keyOf(fragment);
		const packet = this.#incomplete.get(key) ?? this.#begin(key, nowMs);
		if (packet.isBroken) return undefined;
		const piece = {offset, end: offset + end - start, bytes: bytes.slice(start, end)};
		if (!isPlausible(piece, isLast, mostCarried(fragment.family)) || !insert(packet, piece, isLast)) {
			packet.isBroken = true;
			packet.pieces.length = 0;
			return undefined;
		}
		if (!isWhole(packet)) return undefined;
		this.#incomplete.delete(key);
		return joined(fragment, packet);
	}

	/** Forgets all that is not whole. */
	clear(): void {
		this.#incomplete.clear();
	}

	/** Makes room for a packet: the oldest goes when there are too many. */
	#begin(key: string, nowMs: number): Incomplete {
		const [oldest] = this.#incomplete.keys();
		if (this.#incomplete.size >= mostPackets && oldest !== undefined) this.#incomplete.delete(oldest);
		const packet: Incomplete = {pieces: [], sinceMs: nowMs, total: undefined, isBroken: false};
		this.#incomplete.set(key, packet);
		return packet;
	}

	#forget(nowMs: number): void {
		for (const [key, {sinceMs}] of this.#incomplete) {
			if (nowMs - sinceMs < patienceMs) return;
			this.#incomplete.delete(key);
		}
	}
}

function keyOf({bytes, addresses, family, id, protocol}: Fragment): string {
	const pair = Buffer.from(bytes.buffer, bytes.byteOffset).toString(
		'latin1',
		addresses,
		addresses + 2 * addressLength(family),
	);
	return `${pair}${id},${protocol}`;
}

/** All but the last have a multiple of 8 bytes, and none is empty. */
const isPlausible = ({offset, end}: Piece, isLast: boolean, most: number): boolean =>
	end > offset && end <= most && (isLast || (end - offset) % 8 === 0);

/** Puts a piece in its place. @returns false where it contradicts those that are there, but for one that is there already */
function insert(packet: Incomplete, piece: Piece, isLast: boolean): boolean {
	const {pieces} = packet;
	if (pieces.length >= mostFragments) return false;
	if (isLast && packet.total !== undefined && packet.total !== piece.end) return false;
	if (isLast) packet.total = piece.end;
	if (packet.total !== undefined && pieces.concat(piece).some(({end}) => end > (packet.total as number))) return false;
	const index = pieces.findIndex(({offset}) => offset >= piece.offset);
	const at = index < 0 ? pieces.length : index;
	const [before, after] = [pieces[at - 1], pieces[at]];
	if (after?.offset === piece.offset && Buffer.compare(after.bytes, piece.bytes) === 0) return true;
	if ((before !== undefined && before.end > piece.offset) || (after !== undefined && after.offset < piece.end))
		return false;
	pieces.splice(at, 0, piece);
	return true;
}

/** Pieces lie in order and do not overlap: together they are as long as the whole when none is missing. */
const isWhole = ({pieces, total}: Incomplete): boolean =>
	total !== undefined && pieces.reduce((sum, {offset, end}) => sum + end - offset, 0) === total;

/** The packet, behind the addresses of its last fragment alone. */
function joined(fragment: Fragment, {pieces, total}: Incomplete): IpPacket {
	const {bytes, addresses, family, protocol, mac} = fragment;
	const start = 2 * addressLength(family);
	const end = start + (total as number);
	const whole = new Uint8Array(end);
	whole.set(bytes.subarray(addresses, addresses + start));
	for (const piece of pieces) whole.set(piece.bytes, start + piece.offset);
	const view = new DataView(whole.buffer);
	return {family, bytes: whole, view, addresses: 0, protocol, start, end, mac, isChecked: false, segmentBytes: 0};
}
