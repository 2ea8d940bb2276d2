import type {Frame} from '#devices/network/endpoint';
import {bytes, packed, u16, u32} from '#support/wire';

/** Blocks of a capture file (draft-ietf-opsawg-pcapng, 4.1–4.3), each with its length again at its end. */
const BlockType = {SECTION: 0x0a0d_0d0a, INTERFACE: 1, PACKET: 6} as const;
const byteOrderMagic = 0x1a2b_3c4d;
const ethernet = 1;
/** Option of an interface: its Ethernet address. */
const addressOption = 6;
/** Option of a packet: bits, of which the lowest two are its direction. */
const flagsOption = 2;
/** Directions of a packet, as the guest sees them. */
export const Direction = {IN: 1, OUT: 2} as const;
export type Direction = (typeof Direction)[keyof typeof Direction];

const SectionBlock = packed('section header', {
	type: u32,
	length: u32,
	magic: u32,
	major: u16,
	minor: u16,
	/** All ones: of unknown length. */
	sectionLow: u32,
	sectionHigh: u32,
	lengthAgain: u32,
}).sized(28, 'pcapng, 4.1');

const InterfaceBlock = packed('interface description', {
	type: u32,
	length: u32,
	link: u16,
	reserved: u16,
	/** 0 for none: frames are whole. */
	mostBytes: u32,
	/** The NIC's address, padded to 32 bits, and the end of options. */
	addressOption: u16,
	addressLength: u16,
	address: bytes(8),
	optionsEnd: u32,
	lengthAgain: u32,
}).sized(36, 'pcapng, 4.2');

const PacketBlock = packed('enhanced packet', {
	type: u32,
	length: u32,
	interface: u32,
	/** Microseconds since 1970. */
	timeHigh: u32,
	timeLow: u32,
	captured: u32,
	original: u32,
}).sized(28, 'pcapng, 4.3');

/** Behind the frame: one option, the end of options, and the length again. */
const packetEnd = 8 + 4 + 4;

/** What a file begins with. */
export function sectionBlock(): Uint8Array {
	const all = 0xffff_ffff;
	return SectionBlock.encode({
		type: BlockType.SECTION,
		length: SectionBlock.size,
		magic: byteOrderMagic,
		major: 1,
		sectionLow: all,
		sectionHigh: all,
		lengthAgain: SectionBlock.size,
	});
}

/** A NIC, which frames that follow name by the number that it has among those in the file, from 0 on. */
export function interfaceBlock(mac: Uint8Array): Uint8Array {
	const length = InterfaceBlock.size;
	const block = InterfaceBlock.encode({
		type: BlockType.INTERFACE,
		length,
		link: ethernet,
		addressOption,
		addressLength: mac.length,
		lengthAgain: length,
	});
	block.set(mac, InterfaceBlock.offset('address'));
	return block;
}

/** What is said of a frame. */
export interface PacketFacts {
	readonly direction: Direction;
	/** Number of its NIC in the file. */
	readonly interface: number;
	/** Microseconds since 1970. */
	readonly timeUs: number;
}

/** Bytes of a frame in the file. */
export const packetBytes = (length: number): number => PacketBlock.size + Math.ceil(length / 4) * 4 + packetEnd;

/** Writes a frame at an offset, where {@link packetBytes} are. */
export function writePacket(
	target: DataView,
	offset: number,
	frame: Frame,
	{direction, interface: number, timeUs}: PacketFacts,
): void {
	const {length} = frame;
	const whole = packetBytes(length);
	target.setUint32(offset + PacketBlock.offset('type'), BlockType.PACKET, true);
	target.setUint32(offset + PacketBlock.offset('length'), whole, true);
	target.setUint32(offset + PacketBlock.offset('interface'), number, true);
	target.setUint32(offset + PacketBlock.offset('timeHigh'), Math.floor(timeUs / 2 ** 32), true);
	target.setUint32(offset + PacketBlock.offset('timeLow'), timeUs % 2 ** 32, true);
	target.setUint32(offset + PacketBlock.offset('captured'), length, true);
	target.setUint32(offset + PacketBlock.offset('original'), length, true);
	const all = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
	all.set(frame.bytes.subarray(0, length), offset + PacketBlock.size);
	const end = offset + whole - packetEnd;
	all.fill(0, offset + PacketBlock.size + length, end);
	target.setUint16(end, flagsOption, true);
	target.setUint16(end + 2, 4, true);
	target.setUint32(end + 4, direction, true);
	target.setUint32(end + 8, 0, true);
	target.setUint32(end + 12, whole, true);
}
