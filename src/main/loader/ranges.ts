/** Arithmetic on ranges of guest-physical addresses, and of files. */

/** A named range, for errors. */
export interface Extent {
	readonly name: string;
	readonly gpa: number;
	/** In bytes. */
	readonly length: number;
}

type Range = Pick<Extent, 'gpa' | 'length'>;

/** The next multiple of `alignment`, which need not be a power of two. */
export const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment;

/** First address after the range. */
export const endOf = (range: Range): number => range.gpa + range.length;

/** Sum of the lengths, in bytes. */
export const totalLength = (ranges: readonly Range[]): number => ranges.reduce((sum, range) => sum + range.length, 0);

/** True when the two share a byte. */
export function overlaps(a: Range, b: Range): boolean {
	return a.length > 0 && b.length > 0 && a.gpa < endOf(b) && b.gpa < endOf(a);
}

/** True when one of `ranges`, or several that touch, contain all of `range`. `ranges` ascend. */
export function covers(ranges: readonly Range[], range: Range): boolean {
	let at = range.gpa;
	for (const part of ranges) {
		if (part.gpa <= at && endOf(part) > at) at = endOf(part);
		if (at >= endOf(range)) return true;
	}
	return false;
}

/** `ranges` without what `holes` cover; both in any order, the result ascends. */
export function subtract(ranges: readonly Range[], holes: readonly Range[]): Range[] {
	let rest = [...ranges].sort((a, b) => a.gpa - b.gpa);
	for (const hole of holes) {
		rest = rest.flatMap((range) => {
			if (!overlaps(range, hole)) return [range];
			const below = {gpa: range.gpa, length: hole.gpa - range.gpa};
			const above = {gpa: endOf(hole), length: endOf(range) - endOf(hole)};
			return [below, above].filter((part) => part.length > 0);
		});
	}
	return rest;
}

/** True when the file has `length` bytes at `offset`. */
export function has(bytes: Uint8Array, offset: number, length: number): boolean {
	return offset >= 0 && length >= 0 && offset + length <= bytes.length;
}
