import {type Frame, Segmentation} from '#devices/network/endpoint';
import {addWords, checksumOf} from './checksum.ts';
import {EtherType, packetOffset} from './ether-type.ts';

const [tcp, udp] = [6, 17];
/** Offsets in the headers of IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293) and UDP (RFC 768). */
const Ip4 = {LENGTH: 2, ID: 4, CHECKSUM: 10, ADDRESSES: 12, LEAST: 20} as const;
const Ip6 = {LENGTH: 4, ADDRESSES: 8, LEAST: 40} as const;
const Tcp = {SEQUENCE: 4, OFFSET: 12, FLAGS: 13, CHECKSUM: 16, LEAST: 20} as const;
const Udp = {LENGTH: 4, CHECKSUM: 6, LEAST: 8} as const;
/** Flags of TCP that the last segment alone has, and that the first alone has. */
const [finAndPush, congestionReduced] = [0x09, 0x80];

/**
 * The most segments that a frame is cut into: that of the longest packet in pieces of 48 bytes, the least that Linux sends. A guest
 * that asks for smaller ones asks for more work than it does.
 */
const mostSegments = 1366;
/** The longest headers, which are in each segment: those of IPv6 may be as long as the frame, and a guest's then be a thousand times that. */
const mostHeaderBytes = 512;

/** Cuts a frame into plain ones. It is used again and again. */
export class Segments {
	#frame: Frame | undefined;
	/** Where the packet and its transport header begin, and where their headers end. */
	#packet = 0;
	#transport = 0;
	#payload = 0;
	#isV6 = false;
	#isTcp = false;
	#size = 0;
	#index = 0;

	/** Bytes before the payload, all headers together. */
	get headerBytes(): number {
		return this.#payload;
	}

	/** The frame that has been begun is of IPv6, and not of IPv4. */
	get isV6(): boolean {
		return this.#isV6;
	}

	/** Segments of the frame that has been begun. */
	get count(): number {
		const {length} = this.#frame as Frame;
		return Math.max(1, Math.ceil((length - this.#payload) / this.#size));
	}

	/**
	 * Begins with a frame that is to be cut, which stays as it is until the last segment has been made.
	 * @returns false where it is not what it says of itself
	 */
	begin(frame: Frame): boolean {
		this.#frame = frame;
		this.#index = 0;
		this.#size = frame.segmentBytes;
		this.#isTcp = frame.segmentation !== Segmentation.UDP;
		return frame.needsChecksum && this.#size > 0 && this.#find(frame) && this.count <= mostSegments;
	}

	/** Makes the next segment; false where there is none. */
	next(target: Frame): boolean {
		const frame = this.#frame as Frame;
		const offset = this.#index * this.#size;
		if (this.#index > 0 && this.#payload + offset >= frame.length) return false;
		const from = this.#payload + offset;
		const size = Math.min(this.#size, frame.length - from);
		target.bytes.set(frame.bytes.subarray(0, this.#payload));
		target.bytes.set(frame.bytes.subarray(from, from + size), this.#payload);
		target.become(this.#payload + size);
		target.isChecked = true;
		const view = target.view;
		this.#numberPacket(view, target.length);
		if (this.#isTcp) this.#numberTcp(view, offset, from + size === frame.length);
		else view.setUint16(this.#transport + Udp.LENGTH, target.length - this.#transport);
		this.#sum(view, target.length);
		this.#index++;
		return true;
	}

	/** Looks for the headers, all of which the frame has to have. */
	#find(frame: Frame): boolean {
		const view = frame.view;
		const {length, checksumStart: transport} = frame;
		const packet = packetOffset(frame);
		if (packet === undefined) return false;
		const type = view.getUint16(packet - 2);
		this.#packet = packet;
		this.#transport = transport;
		this.#isV6 = type === EtherType.IPV6;
		if (!this.#isV6 && type !== EtherType.IPV4) return false;
		const {segmentation} = frame;
		if (segmentation === Segmentation.TCP4 && this.#isV6) return false;
		if (segmentation === Segmentation.TCP6 && !this.#isV6) return false;
		if (transport < packet + (this.#isV6 ? Ip6.LEAST : Ip4.LEAST)) return false;
		const least = transport + (this.#isTcp ? Tcp.LEAST : Udp.LEAST);
		if (length < least || !this.#isIpHeader(view)) return false;
		if (frame.checksumOffset !== (this.#isTcp ? Tcp.CHECKSUM : Udp.CHECKSUM)) return false;
		this.#payload = this.#isTcp ? transport + (view.getUint8(transport + Tcp.OFFSET) >>> 4) * 4 : least;
		return this.#payload >= least && this.#payload <= Math.min(length, mostHeaderBytes);
	}

	/** Of IPv6 there may be further headers between the two. */
	#isIpHeader(view: DataView): boolean {
		const first = view.getUint8(this.#packet);
		if (this.#isV6) return first >>> 4 === 6;
		const protocol = view.getUint8(this.#packet + 9);
		return first >>> 4 === 4 && this.#packet + (first & 0xf) * 4 === this.#transport && protocol === this.#protocol;
	}

	get #protocol(): number {
		return this.#isTcp ? tcp : udp;
	}

	#numberPacket(view: DataView, end: number): void {
		const at = this.#packet;
		if (this.#isV6) {
			view.setUint16(at + Ip6.LENGTH, end - at - Ip6.LEAST);
			return;
		}
		view.setUint16(at + Ip4.LENGTH, end - at);
		view.setUint16(at + Ip4.ID, (view.getUint16(at + Ip4.ID) + this.#index) & 0xffff);
		view.setUint16(at + Ip4.CHECKSUM, 0);
		view.setUint16(at + Ip4.CHECKSUM, checksumOf(addWords(view, at, this.#transport, 0)));
	}

	#numberTcp(view: DataView, offset: number, isLast: boolean): void {
		const at = this.#transport;
		view.setUint32(at + Tcp.SEQUENCE, view.getUint32(at + Tcp.SEQUENCE) + offset);
		let flags = view.getUint8(at + Tcp.FLAGS);
		if (!isLast) flags &= ~finAndPush;
		if (this.#index > 0) flags &= ~congestionReduced;
		view.setUint8(at + Tcp.FLAGS, flags);
	}

	/** The sum of the pseudo header, of the transport's and of the payload. */
	#sum(view: DataView, end: number): void {
		const at = this.#transport + (this.#isTcp ? Tcp.CHECKSUM : Udp.CHECKSUM);
		const [addresses, bytes] = this.#isV6 ? [Ip6.ADDRESSES, 32] : [Ip4.ADDRESSES, 8];
		const from = this.#packet + addresses;
		view.setUint16(at, 0);
		const pseudo = addWords(view, from, from + bytes, this.#protocol + end - this.#transport);
		const value = checksumOf(addWords(view, this.#transport, end, pseudo));
		view.setUint16(at, value === 0 && !this.#isTcp ? 0xffff : value);
	}
}
