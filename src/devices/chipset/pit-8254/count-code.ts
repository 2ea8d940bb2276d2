/** Code by which the 16 bits of a count stand for a number. */
export interface CountCode {
	/** Meaning of a written 0, and the number at which a counter that passes zero goes on. */
	readonly modulus: number;
	decode(raw: number): number;
	encode(value: number): number;
}

const binary: CountCode = {
	modulus: 0x10000,
	decode: (raw) => raw || 0x10000,
	encode: (value) => value & 0xffff,
};

/** Four decimal digits. The data sheet does not say what A to F are: here they are ten to fifteen of their place. */
const bcd: CountCode = {
	modulus: 10_000,
	decode: (raw) =>
		((raw >> 12) * 1000 + ((raw >> 8) & 15) * 100 + ((raw >> 4) & 15) * 10 + (raw & 15)) % 10_000 || 10_000,
	encode: (value) => {
		const digit = (place: number) => Math.floor(value / place) % 10;
		return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
	},
};

/** The code that bit 0 of a control word chooses. */
export const countCode = (isBcd: boolean): CountCode => (isBcd ? bcd : binary);
