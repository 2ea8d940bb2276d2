import type {Segment} from '#devices/processor';

const flat = {base: 0n, limit: 0xffff_ffff, present: true, dpl: 0, s: true, g: true} as const;

/**
 * Segments that cover all of the address space (Intel SDM vol. 3, 3.4.5): code is read/execute, data read/write. Their
 * selectors are Linux's __BOOT_CS and __BOOT_DS, which a kernel loads before it has a table of its own.
 */
export const flatSegments = {
	code64: {...flat, selector: 0x10, type: 0xb, db: false, l: true},
	code32: {...flat, selector: 0x10, type: 0xb, db: true, l: false},
	data: {...flat, selector: 0x18, type: 0x3, db: true, l: false},
} as const satisfies Record<string, Segment>;

/** One 8-byte descriptor (Intel SDM vol. 3, figure 3-8). */
export function encodeDescriptor(segment: Segment): bigint {
	const limit = BigInt(segment.g ? segment.limit >>> 12 : segment.limit);
	const access = segment.type | (Number(segment.s) << 4) | (segment.dpl << 5) | (Number(segment.present) << 7);
	const flags = (Number(segment.l) << 1) | (Number(segment.db) << 2) | (Number(segment.g) << 3);
	return (
		(limit & 0xffffn) |
		((segment.base & 0xff_ffffn) << 16n) |
		(BigInt(access) << 40n) |
		(((limit >> 16n) & 0xfn) << 48n) |
		(BigInt(flags) << 52n) |
		(((segment.base >> 24n) & 0xffn) << 56n)
	);
}

/** The boot GDT: two empty descriptors, code, data. */
export function buildGdt(code: Segment): Uint8Array {
	const descriptors = [0n, 0n, encodeDescriptor(code), encodeDescriptor(flatSegments.data)];
	return new Uint8Array(BigUint64Array.from(descriptors).buffer);
}
