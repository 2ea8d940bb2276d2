/** Two decimal digits in a byte. */
export const toBcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);

/** The number in two decimal digits; digits above nine count as what they are. */
export const fromBcd = (value: number): number => (value >> 4) * 10 + (value & 0x0f);

/** True when both digits are decimal. */
export const isBcd = (value: number): boolean => value >> 4 <= 9 && (value & 0x0f) <= 9;
