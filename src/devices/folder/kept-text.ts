const lengthBytes = 4;

/**
 * Writes plain data into memory that snapshots have, as JSON behind its length.
 * @returns false where there is not the room; then nothing is kept
 */
export function keepText(memory: Uint8Array, value: unknown): boolean {
	const bytes = Buffer.from(JSON.stringify(value));
	const fits = lengthBytes + bytes.length <= memory.length;
	const kept = fits ? bytes.length : 0;
	const view = new DataView(memory.buffer, memory.byteOffset);
	const before = Math.min(view.getUint32(0, true), memory.length - lengthBytes);
	// What is not used is zero, and takes no room in a snapshot.
	memory.fill(0, lengthBytes + kept, lengthBytes + Math.max(before, kept));
	if (fits) memory.set(bytes, lengthBytes);
	view.setUint32(0, kept, true);
	return fits;
}

/** Reads it, which may be anybody's. @returns undefined for what is none */
export function keptText(memory: Uint8Array): unknown {
	const length = new DataView(memory.buffer, memory.byteOffset).getUint32(0, true);
	if (length === 0 || length > memory.length - lengthBytes) return undefined;
	try {
		return JSON.parse(Buffer.from(memory.subarray(lengthBytes, lengthBytes + length)).toString());
	} catch {
		return undefined;
	}
}

export const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A name in a directory, or nothing. */
const isName = (value: unknown): boolean =>
	typeof value === 'string' && value.length <= 255 && !/^\.\.?$|[/\0\u{100}-\u{10ffff}]/u.test(value);

/** Tells lists of numbers (n) and names (s), each as long as `shape`. */
export function areRows(value: unknown, shape: string): value is readonly (readonly (number | string)[])[] {
	const fits = (row: unknown) =>
		Array.isArray(row) &&
		row.length === shape.length &&
		row.every((cell, index) => (shape[index] === 'n' ? isNumber(cell) : isName(cell)));
	return Array.isArray(value) && value.every(fits);
}
