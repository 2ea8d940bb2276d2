/** Uses of a guest's value that must not compile; `tsc -b` looks at them, and nothing runs them. */
import {asAddress, below, type Guest, guest, masked, oneOf, unchecked, within} from './index.ts';

declare const length: Guest<number>;
declare const address: Guest<bigint>;
declare const maybe: Guest<number> | undefined;
declare const table: readonly string[];

export function mustNotCompile(): void {
	// @ts-expect-error no arithmetic
	void (length + 1);
	// @ts-expect-error no arithmetic
	void (length * 2);
	// @ts-expect-error no arithmetic
	void (address << 2n);
	// @ts-expect-error no bits
	void (length & 1);
	// @ts-expect-error no comparison by size
	void (length < 5);
	// @ts-expect-error no comparison with a number
	void (length === 5);
	// @ts-expect-error no index
	void table[length];
	// @ts-expect-error no number
	const number: number = length;
	// @ts-expect-error no argument that is a number
	new Uint8Array(8).subarray(length);
	// @ts-expect-error no number is a guest's by itself
	const chosen: Guest<number> = 5;
	// @ts-expect-error a check may have refused
	const checked: number = below(length, 8);
	// @ts-expect-error what could not be read stays so
	const taken: number = unchecked(maybe);
	void [number, chosen, checked, taken];
}

export const compiles = [
	below(length, 8) satisfies number | undefined,
	within(maybe, 1, 8) satisfies number | undefined,
	oneOf(length, [1, 2]) satisfies 1 | 2 | undefined,
	masked(length, 0xff) satisfies number | undefined,
	asAddress(address) satisfies number | undefined,
	guest(5n) satisfies Guest<bigint>,
	unchecked(length) satisfies number,
];
