/**
 * 64 bits as a number, moved by one access of the host's and without a bigint: as a double, whose halves are then looked at.
 * A double that is no number may lose one bit on the way; as an unsigned number it is far beyond 2^53.
 */

/** Holds a value only within one call. */
const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** The number that the bits of a double are; rounded beyond 2^53. */
export function numberOf(bits: number): number {
	double[0] = bits;
	return (halves[1] as number) * 2 ** 32 + (halves[0] as number);
}

/** The double that has the bits of a whole number up to 2^53. */
export function doubleOf(value: number): number {
	halves[0] = value;
	halves[1] = value / 2 ** 32;
	return double[0] as number;
}
