import type {CodeBits, Encoder, PrefixName} from './encoder.ts';
import {toExpression, type Value} from './operands.ts';
import {type Program, writeInteger} from './program.ts';

/** Statements that are no instructions: labels, modes, data. */
export interface Directives {
	/** Names the address of what follows. */
	label(name: string): void;
	/** A label name that nobody else has, for loops inside macros. */
	unique(stem: string): string;
	/** The mode of the code that follows. */
	bits(bits: CodeBits): void;
	/** Prefixes the next instruction. */
	prefix(name: PrefixName): void;
	/** Pads to a multiple of `boundary` bytes; code pads with `nop`s. */
	align(boundary: number, fill?: number): void;
	/** 8-bit data: numbers, or the bytes of a Latin-1 string. */
	bytes(...values: readonly (number | string | Uint8Array)[]): void;
	/** 16-bit data. */
	words(...values: readonly Value[]): void;
	/** 32-bit data. */
	dwords(...values: readonly Value[]): void;
	/** 64-bit data. */
	qwords(...values: readonly Value[]): void;
	/** `count` zero bytes. */
	zeros(count: number): void;
}

export function directives(encoder: Encoder, program: Program): Directives {
	let counter = 0;
	const data = (size: 2 | 4 | 8, values: readonly Value[]): void => {
		for (const value of values) {
			const field: number[] = new Array(size).fill(0);
			if (typeof value === 'number' || typeof value === 'bigint') {
				writeInteger(field, 0, size, value);
				program.addBytes(field);
			} else program.addBytes(field, [{offset: 0, size, kind: 'absolute', expression: toExpression(value)}]);
		}
	};
	return {
		label: (name) => program.addLabel(name),
		unique: (stem) => {
			counter++;
			return `${stem}.${counter}`;
		},
		bits: (bits) => {
			encoder.bits = bits;
		},
		prefix: (name) => encoder.addPrefix(name),
		align: (boundary, fill = 0x90) => program.addAlignment(boundary, fill),
		bytes: (...values) => {
			for (const value of values) {
				if (typeof value === 'number') program.addBytes([value]);
				else program.addBlock(typeof value === 'string' ? Buffer.from(value, 'latin1') : value);
			}
		},
		words: (...values) => data(2, values),
		dwords: (...values) => data(4, values),
		qwords: (...values) => data(8, values),
		zeros: (count) => program.addBlock(new Uint8Array(count)),
	};
}
