/** Bits of a descriptor's attributes: bits 8 to 23 of its second doubleword (SDM volume 3, 3.4.5). */
export const Attribute = {
	type: 0xf,
	accessed: 1,
	/** Data may be written, code read. */
	writable: 2,
	readable: 2,
	/** Data grows down, code conforms. */
	expandDown: 4,
	conforming: 4,
	code: 8,
	/** Code or data, not of the system. */
	nonSystem: 0x10,
	dplShift: 5,
	present: 0x80,
	long: 0x2000,
	big: 0x4000,
	granular: 0x8000,
} as const;

/** Types of system descriptors (SDM volume 3, table 3-2). */
export const SystemType = {
	availableTss16: 1,
	ldt: 2,
	busyTss16: 3,
	callGate16: 4,
	taskGate: 5,
	availableTss: 9,
	busyTss: 11,
	callGate: 12,
	interruptGate: 14,
	trapGate: 15,
} as const;

/** A segment descriptor, as a segment register caches it. */
export interface Descriptor {
	readonly base: bigint;
	/** Highest offset, in bytes. */
	readonly limit: number;
	readonly attributes: number;
}

/** A descriptor of 8 bytes. */
export function descriptorOf(value: bigint): Descriptor {
	const low = Number(value & 0xffff_ffffn);
	const high = Number(value >> 32n);
	const attributes = (high >>> 8) & 0xf0ff;
	const limit = (low & 0xffff) | (high & 0xf_0000);
	return {
		base: BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0),
		limit: (attributes & Attribute.granular) !== 0 ? ((limit << 12) | 0xfff) >>> 0 : limit,
		attributes,
	};
}

export const dplOf = ({attributes}: Descriptor): number => (attributes >> Attribute.dplShift) & 3;
export const isPresent = ({attributes}: Descriptor): boolean => (attributes & Attribute.present) !== 0;
export const isCode = ({attributes}: Descriptor): boolean =>
	(attributes & (Attribute.nonSystem | Attribute.code)) === (Attribute.nonSystem | Attribute.code);
export const isSystem = ({attributes}: Descriptor): boolean => (attributes & Attribute.nonSystem) === 0;
export const typeOf = ({attributes}: Descriptor): number => attributes & Attribute.type;
