import {type FrameWriter, type Path, payloadStart} from '../ip/index.ts';
import {IpProtocol, Tcp} from '../packets/index.ts';
import type {SendQueue} from './send-queue.ts';

/** A segment for a guest, but for its data. */
export interface Outgoing {
	readonly path: Path;
	readonly sourcePort: number;
	readonly port: number;
	readonly sequence: number;
	readonly acknowledgment: number;
	readonly flags: number;
	/** As it is written, scaled. */
	readonly window: number;
	/** A multiple of four bytes, 40 at most. */
	readonly options: Uint8Array;
}

/** Where in what is to be sent a segment's data lies, and how much of it the guest takes at once. */
export interface OutgoingData {
	readonly queue: SendQueue;
	readonly offset: number;
	readonly length: number;
	readonly mss: number;
}

const checksum = Tcp.offset('checksum');

/** Writes a segment into the writer's frame: one for the NIC to finish, and to cut where it is longer than one segment. */
export function writeSegment(writer: FrameWriter, segment: Outgoing, data?: OutgoingData): void {
	const {path, options} = segment;
	const {view, bytes} = writer;
	const header = Tcp.size + options.length;
	const at = payloadStart(path.family);
	writer.ip(path, IpProtocol.TCP, header + (data?.length ?? 0));
	view.setUint16(at, segment.sourcePort);
	view.setUint16(at + 2, segment.port);
	view.setUint32(at + 4, segment.sequence);
	view.setUint32(at + 8, segment.acknowledgment);
	view.setUint8(at + 12, (header / 4) << 4);
	view.setUint8(at + 13, segment.flags);
	view.setUint16(at + 14, segment.window);
	view.setUint32(at + 16, 0);
	bytes.set(options, at + Tcp.size);
	data?.queue.copy(data.offset, data.length, bytes, at + header);
	writer.offload(path, IpProtocol.TCP, {offset: checksum, header, segmentBytes: data?.mss ?? header});
}
