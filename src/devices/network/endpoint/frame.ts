/**
 * Most bytes of a frame: an Ethernet header with a VLAN tag, and an IP packet of 65535 bytes or an IPv6 header with as much
 * payload.
 */
export const mostFrameBytes = 18 + 40 + 65_535;
/** Fewest bytes: an Ethernet header. Nobody pads frames, since no wire asks for that. */
export const leastFrameBytes = 14;

/** How a frame is to be cut into several before it is on a wire, by the numbers of virtio 1.2, 5.1.6. */
export const Segmentation = {NONE: 0, TCP4: 1, TCP6: 4, UDP: 5} as const;
export type Segmentation = (typeof Segmentation)[keyof typeof Segmentation];

/**
 * An Ethernet frame without its checksum, on its way in either direction, and what is still to be done to it. Each side has one of its own
 * and uses it again and again: nothing is made for a frame. Whoever is given one has it until the call returns, and copies what it
 * wants to keep; it may change what it was given.
 */
export class Frame {
	/** Room for it: what is behind {@link length} means nothing. */
	readonly bytes: Uint8Array<ArrayBuffer>;
	/** The same bytes. */
	readonly view: DataView;
	length = 0;
	/**
	 * The checksum of the transport is the sum of its pseudo header alone: whoever passes the frame on to somebody without this adds
	 * everything from {@link checksumStart} to the end to it, and puts its complement at {@link checksumOffset} behind that.
	 */
	needsChecksum = false;
	/** From the frame's first byte. Both lie in the frame where {@link needsChecksum} is true. */
	checksumStart = 0;
	checksumOffset = 0;
	/** Somebody has found the checksums right, or there was no way to spoil them. */
	isChecked = false;
	/** Other than NONE: the payload is to be cut into pieces of {@link segmentBytes}, each behind a copy of the headers; {@link needsChecksum} is true. */
	segmentation: Segmentation = Segmentation.NONE;
	/** Payload of each but the last: 1 or more where there is any segmentation. */
	segmentBytes = 0;

	/** @param room - bytes that it may have */
	constructor(room: number = mostFrameBytes) {
		this.bytes = new Uint8Array(room);
		this.view = new DataView(this.bytes.buffer);
	}

	/** It is as it is to be on a wire. */
	get isPlain(): boolean {
		return !this.needsChecksum && this.segmentation === Segmentation.NONE;
	}

	/** Makes it a plain frame of so many bytes, of which nobody has looked at checksums. */
	become(length: number): void {
		this.length = length;
		this.needsChecksum = this.isChecked = false;
		this.segmentation = Segmentation.NONE;
		this.checksumStart = this.checksumOffset = this.segmentBytes = 0;
	}

	/** Becomes what another one is. @returns false, and nothing is changed, where there is no room */
	copy(other: Frame): boolean {
		if (other.length > this.bytes.length) return false;
		this.bytes.set(other.bytes.subarray(0, other.length));
		this.become(other.length);
		this.needsChecksum = other.needsChecksum;
		this.checksumStart = other.checksumStart;
		this.checksumOffset = other.checksumOffset;
		this.isChecked = other.isChecked;
		this.segmentation = other.segmentation;
		this.segmentBytes = other.segmentBytes;
		return true;
	}
}
