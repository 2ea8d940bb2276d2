import {Frame, Segmentation} from '#devices/network/endpoint';
import {
	checksumOf,
	Ethernet,
	EtherType,
	type Family,
	fold,
	IpProtocol,
	Ipv4,
	Ipv6,
	Ipv6Fragment,
	pseudoSum,
} from '../packets/index.ts';

/** Both ends of a packet for a guest. */
export interface Path {
	readonly family: Family;
	/** Ethernet's addresses: of the network, of the guest. */
	readonly fromMac: Uint8Array;
	readonly toMac: Uint8Array;
	readonly source: Uint8Array;
	readonly destination: Uint8Array;
}

const headerBytes = (family: Family): number => (family === 4 ? Ipv4.size : Ipv6.size);
/** Where in a frame what IP carries begins. */
export const payloadStart = (family: Family): number => Ethernet.size + headerBytes(family);

/** The frame that packets for a guest are written into, one after the other. */
export class FrameWriter {
	readonly frame = new Frame();
	readonly bytes = this.frame.bytes;
	readonly view = new DataView(this.bytes.buffer);
	readonly #piece = new Frame();
	#id = 0;

	/** Writes the headers in front of `length` bytes that lie at {@link payloadStart}. The frame becomes a plain one. */
	ip(path: Path, protocol: number, length: number, hops = 64): void {
		const {bytes} = this;
		this.frame.become(payloadStart(path.family) + length);
		this.#ethernet(bytes, path);
		if (path.family === 4) {
			this.#id = (this.#id + 1) & 0xffff;
			this.#ipv4(bytes, path, protocol, Ipv4.size + length, hops, this.#id, 0);
		} else this.#ipv6(bytes, path, protocol, length, hops);
	}

	/** Puts the checksum of the packet's payload at `offset` of it. ICMP of IPv4 alone has no pseudo header. */
	checksum(path: Path, protocol: number, offset: number): void {
		const start = payloadStart(path.family);
		const {length} = this.frame;
		this.view.setUint16(start + offset, 0);
		const pseudo = protocol === IpProtocol.ICMP ? 0 : this.#pseudo(path, protocol, length - start);
		const sum = checksumOf(this.bytes, start, length, pseudo);
		this.view.setUint16(start + offset, sum === 0 && protocol === IpProtocol.UDP ? 0xffff : sum);
	}

	/** Leaves the checksum to the NIC, and the cutting into segments too where the payload behind `header` bytes is longer than one. */
	offload(
		path: Path,
		protocol: number,
		{offset, header, segmentBytes}: {offset: number; header: number; segmentBytes: number},
	): void {
		const {frame} = this;
		const start = payloadStart(path.family);
		const length = frame.length - start;
		this.view.setUint16(start + offset, fold(this.#pseudo(path, protocol, length)));
		frame.needsChecksum = true;
		frame.checksumStart = start;
		frame.checksumOffset = offset;
		if (length - header <= segmentBytes) return;
		frame.segmentation = path.family === 4 ? Segmentation.TCP4 : Segmentation.TCP6;
		frame.segmentBytes = segmentBytes;
	}

	/** The packet in pieces that fit the link, each in a frame that is good until the next is asked for. */
	*fragments(path: Path, protocol: number, mtu: number): Generator<Frame> {
		const {frame, bytes} = this;
		const start = payloadStart(path.family);
		const total = frame.length - start;
		if (start + total - Ethernet.size <= mtu) {
			yield frame;
			return;
		}
		const extension = path.family === 4 ? 0 : Ipv6Fragment.size;
		const step = (mtu - headerBytes(path.family) - extension) & ~7;
		this.#id = (this.#id + 1) & 0xffff;
		const id = this.#id;
		for (let offset = 0; offset < total; offset += step) {
			const length = Math.min(step, total - offset);
			const more = offset + length < total ? 1 : 0;
			const target = this.#piece.bytes;
			this.#piece.become(start + extension + length);
			this.#ethernet(target, path);
			if (path.family === 4)
				this.#ipv4(target, path, protocol, Ipv4.size + length, 64, id, (more << 13) | (offset >> 3));
			else {
				this.#ipv6(target, path, IpProtocol.FRAGMENT, extension + length, 64);
				Ipv6Fragment.write(target, start, {next: protocol, place: offset | more, id});
			}
			target.set(bytes.subarray(start + offset, start + offset + length), start + extension);
			yield this.#piece;
		}
	}

	#ethernet(target: Uint8Array, {family, fromMac, toMac}: Path): void {
		target.set(toMac, 0);
		target.set(fromMac, 6);
		const type = family === 4 ? EtherType.IPV4 : EtherType.IPV6;
		target[12] = type >> 8;
		target[13] = type & 0xff;
	}

	#ipv4(
		target: Uint8Array,
		path: Path,
		protocol: number,
		length: number,
		hops: number,
		id: number,
		place: number,
	): void {
		const at = Ethernet.size;
		target.set(
			[0x45, 0, length >> 8, length & 0xff, id >> 8, id & 0xff, place >> 8, place & 0xff, hops, protocol, 0, 0],
			at,
		);
		target.set(path.source, at + Ipv4.offset('source'));
		target.set(path.destination, at + Ipv4.offset('destination'));
		const sum = checksumOf(target, at, at + Ipv4.size);
		target[at + Ipv4.offset('checksum')] = sum >> 8;
		target[at + Ipv4.offset('checksum') + 1] = sum & 0xff;
	}

	#ipv6(target: Uint8Array, path: Path, next: number, length: number, hops: number): void {
		const at = Ethernet.size;
		target.set([0x60, 0, 0, 0, length >> 8, length & 0xff, next, hops], at);
		target.set(path.source, at + Ipv6.offset('source'));
		target.set(path.destination, at + Ipv6.offset('destination'));
	}

	#pseudo({family}: Path, protocol: number, length: number): number {
		const addresses = Ethernet.size + (family === 4 ? Ipv4.offset('source') : Ipv6.offset('source'));
		return pseudoSum(this.bytes, addresses, family === 4 ? 8 : 32, protocol, length);
	}
}
