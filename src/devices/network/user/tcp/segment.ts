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

/** Reads the options of a SYN; what is no option ends them. */
export function readSynOptions({packet: {view, start}, data}: Segment): SynOptions {
	let mss: number | undefined;
	let scale: number | undefined;
	let takesSack = false;
	for (let place = start + Tcp.size; place < data; ) {
		const kind = view.getUint8(place);
		if (kind === TcpOption.END) break;
		if (kind === TcpOption.NOP) {
			place++;
			continue;
		}
		const length = place + 1 < data ? view.getUint8(place + 1) : 0;
		if (length < 2 || place + length > data) break;
		if (kind === TcpOption.MSS && length === 4) mss = view.getUint16(place + 2);
		if (kind === TcpOption.WINDOW_SCALE && length === 3) scale = Math.min(view.getUint8(place + 2), mostScale);
		if (kind === TcpOption.SACK_PERMITTED && length === 2) takesSack = true;
		place += length;
	}
	return {mss, scale, takesSack};
}
