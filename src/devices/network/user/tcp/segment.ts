import type {IpPacket} from '../ip/index.ts';
import {Tcp, TcpOption} from '../packets/index.ts';

/** What a guest says in the options of a SYN. */
export interface SynOptions {
	readonly mss: number | undefined;
	/** Shift of all its later windows; undefined where it does none, and takes none. */
	readonly scale: number | undefined;
	readonly takesSack: boolean;
}

/** A segment of a guest's, whose header lies whole in its packet. */
export interface Segment {
	readonly packet: IpPacket;
	readonly sourcePort: number;
	readonly port: number;
	readonly sequence: number;
	readonly acknowledgment: number;
	readonly flags: number;
	/** As it is written, not scaled. */
	readonly window: number;
	/** Data lies from here to the packet's end. */
	readonly data: number;
}

const at = {
	sequence: Tcp.offset('sequence'),
	acknowledgment: Tcp.offset('acknowledgment'),
	offset: Tcp.offset('offset'),
	flags: Tcp.offset('flags'),
	window: Tcp.offset('window'),
};
/** A shift beyond this means this (RFC 7323, 2.3). */
const mostScale = 14;

/** Reads a segment; undefined where its header does not lie in its packet. */
export function readSegment(packet: IpPacket): Segment | undefined {
	const {view, start, end} = packet;
	if (start + Tcp.size > end) return undefined;
	const data = start + (view.getUint8(start + at.offset) >> 4) * 4;
	if (data < start + Tcp.size || data > end) return undefined;
	return {
		packet,
		sourcePort: view.getUint16(start),
		port: view.getUint16(start + 2),
		sequence: view.getUint32(start + at.sequence),
		acknowledgment: view.getUint32(start + at.acknowledgment),
		flags: view.getUint8(start + at.flags),
		window: view.getUint16(start + at.window),
		data,
	};
}

/** Options, each with where its data begins; what is no option ends them. */
function* optionsOf({packet: {view, start}, data}: Segment): Generator<{kind: number; at: number; bytes: number}> {
	for (let place = start + Tcp.size; place < data; ) {
		const kind = view.getUint8(place);
		if (kind === TcpOption.END) return;
		if (kind === TcpOption.NOP) {
			place++;
			continue;
		}
		const length = place + 1 < data ? view.getUint8(place + 1) : 0;
		if (length < 2 || place + length > data) return;
		yield {kind, at: place + 2, bytes: length - 2};
		place += length;
	}
}

/** Reads the options of a SYN. */
export function readSynOptions(segment: Segment): SynOptions {
	const {view} = segment.packet;
	let mss: number | undefined;
	let scale: number | undefined;
	let takesSack = false;
	for (const {kind, at: place, bytes} of optionsOf(segment)) {
		if (kind === TcpOption.MSS && bytes === 2) mss = view.getUint16(place);
		if (kind === TcpOption.WINDOW_SCALE && bytes === 1) scale = Math.min(view.getUint8(place), mostScale);
		if (kind === TcpOption.SACK_PERMITTED && bytes === 0) takesSack = true;
	}
	return {mss, scale, takesSack};
}

/** Reads what a segment says has come out of order (RFC 2018, 3): sequence numbers of the first bytes, and of those behind the last. */
export function readSackBlocks(segment: Segment): readonly (readonly [from: number, to: number])[] {
	const {view, start} = segment.packet;
	// Most have no options at all.
	if (segment.data === start + Tcp.size) return [];
	const blocks: [number, number][] = [];
	for (const {kind, at: place, bytes} of optionsOf(segment))
		if (kind === TcpOption.SACK)
			for (let from = place; from + 8 <= place + bytes; from += 8)
				blocks.push([view.getUint32(from), view.getUint32(from + 4)]);
	return blocks;
}
