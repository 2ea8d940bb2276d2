import {packed, u8, u16, u32, u64} from '#support/wire';

/** Longest command that is kept: what a transport gives beyond is not looked at. */
export const mostCdbBytes = 32;

/** Commands on a range of blocks, by their length (SPC-4, 4.3). */
const Cdb6 = packed('cdb6', {opcode: u8, lbaHigh: u8, lba: u16.be, length: u8, control: u8}).sized(6, 'SPC-4, 4.3.2');
const Cdb10 = packed('cdb10', {
	opcode: u8,
	flags: u8,
	lba: u32.be,
	group: u8,
	length: u16.be,
	control: u8,
}).sized(10, 'SPC-4, 4.3.3');
const Cdb12 = packed('cdb12', {
	opcode: u8,
	flags: u8,
	lba: u32.be,
	length: u32.be,
	group: u8,
	control: u8,
}).sized(12, 'SPC-4, 4.3.4');
const Cdb16 = packed('cdb16', {
	opcode: u8,
	flags: u8,
	lba: u64.be.asNumber,
	length: u32.be,
	group: u8,
	control: u8,
}).sized(16, 'SPC-4, 4.3.5');

/** A command's descriptor block. Numbers are read where they lie. */
export class Cdb {
	readonly bytes = new Uint8Array(mostCdbBytes);
	readonly #view = new DataView(this.bytes.buffer);

	get opcode(): number {
		return this.byte(0);
	}

	byte(index: number): number {
		return this.bytes[index] as number;
	}

	u16(index: number): number {
		return this.#view.getUint16(index);
	}

	u32(index: number): number {
		return this.#view.getUint32(index);
	}

	/** Bytes that it has, 0 where its group tells of none that this is. */
	get length(): number {
		return groupBytes[this.opcode >>> 5] as number;
	}

	/** The byte behind all others (SAM-5, 5.2). */
	get control(): number {
		return this.byte(this.length - 1);
	}

	/** First block: exact below 2^53, and beyond that on no disk. */
	get lba(): number {
		switch (this.length) {
			case Cdb6.size:
				return (this.byte(1) & 0x1f) * 0x1_0000 + Cdb6.field.lba.get(this.#view);
			case Cdb16.size:
				return Cdb16.field.lba.get(this.#view);
			default:
				return Cdb10.field.lba.get(this.#view);
		}
	}

	/** Number of blocks. */
	get blocks(): number {
		switch (this.length) {
			case Cdb6.size:
				// SBC-3, 5.8: 0 is 256.
				return Cdb6.field.length.get(this.#view) || 256;
			case Cdb10.size:
				return Cdb10.field.length.get(this.#view);
			case Cdb12.size:
				return Cdb12.field.length.get(this.#view);
			default:
				return Cdb16.field.length.get(this.#view);
		}
	}
}

/** By the group of the operation code (SPC-4, 4.3.5.1). */
const groupBytes: readonly number[] = [Cdb6.size, Cdb10.size, Cdb10.size, 0, Cdb16.size, Cdb12.size, 0, 0];
