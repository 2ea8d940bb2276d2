/**
 * Forms of instructions, from rows in the notation of the manual's opcode tables (SDM volume 2, appendix A.2).
 *
 * Operands: `E` is one that ModRM.rm names, in a register or in memory, `R` and `M` only the one or the other; `G` is the register that
 * ModRM.reg names, `Z` the one in the opcode's low bits; `I` an immediate, `J` a branch's displacement, `O` an absolute address; `a` stands
 * for the accumulator. `V` is the XMM register that ModRM.reg names, `W` the one that ModRM.rm names or memory, `U` only the register; `P`,
 * `Q` and `N` are the same for MMX. `B` is the general register that VEX.vvvv names, `H`
 * the XMM register, `L` the one in the upper half of a constant. `S` is the x87 register in the opcode's low bits; ST(0) is not told.
 *
 * The size follows: `b`, `w`, `d`, `q`, `dq`, `qq`; `v` for 16, 32 or 64 bits, `y` for 32 or 64, `z` for an immediate of 16 or 32, and `n` where
 * the manual says `v` and `d64`: 64 bits without REX.W, or 16; `ps`, `pd`, `ss` and `sd` are 16, 16, 4 and 8 bytes of floating point, `t`
 * is 10 of x87; other sizes are in bytes, as in `M28`. `q:ps` is as many bytes as `q` of what `ps` holds. `E`, `M` without a size are not
 * accessed.
 *
 * An encoding with a VEX prefix begins with what that says, as `VEX.LZ.66.0F38`: VEX.L (`128` or `LZ`, `256`, `LIG`), prefix (`NP` for none), map, and VEX.W
 * where it is not the operands' size that decides on it (`W0`, `W1`, `WIG`).
 */
import type {Facts, Undefined} from './undefined-results.ts';

export type OperandKind =
	| 'E'
	| 'R'
	| 'M'
	| 'G'
	| 'B'
	| 'Z'
	| 'I'
	| 'J'
	| 'O'
	| 'a'
	| 'V'
	| 'W'
	| 'U'
	| 'H'
	| 'L'
	| 'P'
	| 'Q'
	| 'N'
	| 'S';
/** Kind of values that an operand holds. */
export type Element = 'integer' | 'single' | 'double' | 'extended' | 'decimal';
export interface Operand {
	readonly kind: OperandKind;
	/** Of the operand or immediate; 0 where nothing is accessed. */
	readonly bytes: number;
	readonly element: Element;
}
/** The part of the processor that a form is of, when it is not the integer core. 66, F2 and F3 choose among its instructions. */
export type Unit = 'sse' | 'mmx' | 'x87';
export type OperandSize = 8 | 16 | 32 | 64;

/** Needs of a form in the state before it, beyond its operands; see `roles.ts`. */
export type Role =
	| 'address'
	| 'arctangent'
	| 'bitField'
	| 'bitOffset'
	| 'branch'
	| 'callNear'
	| 'callIndirect'
	| 'compareExchange'
	| 'compareExchangePair'
	| 'convertMmx'
	| 'count'
	| 'divide'
	| 'enter'
	| 'exponential'
	| 'gather'
	| 'jumpIndirect'
	| 'leave'
	| 'loadControl'
	| 'loadEnvironment'
	| 'loadMxcsr'
	| 'logarithm'
	| 'logarithmNearOne'
	| 'loop'
	| 'maskedMove'
	| 'maskedStore'
	| 'packedCount'
	| 'popFlags'
	| 'popOperand'
	| 'remainder'
	| 'return'
	| 'scale'
	| 'stack'
	| 'storeEnvironment'
	| 'string'
	| 'stringCompare'
	| 'translate'
	| 'trigonometric'
	| 'vectorCounts';

export interface FormOptions {
	/** LOCK is allowed where the destination is memory. */
	readonly lock?: boolean;
	/** Prefixes that repeat: F3 alone, or F3 and F2 with an end condition. */
	readonly repeat?: 'rep' | 'repe';
	readonly role?: Role;
	/** Results that the manual leaves undefined: flags, or more by case. */
	readonly undefined?: number | ((facts: Facts) => Undefined);
	/** Of /proc/cpuinfo; a processor without it gives the encoding another meaning. */
	readonly feature?: string;
	/** An operand-size prefix that is not needed would make another instruction of it. */
	readonly isStrict?: boolean;
	/** 64 bits need no REX.W, as the size code `n` says. */
	readonly isNative?: boolean;
	/** For forms whose operands do not tell. */
	readonly sizes?: readonly OperandSize[];
	/** The operand in memory begins at a multiple of its size, else it is an exception. It is so for 16 bytes of SSE if nothing is said. */
	readonly isAligned?: boolean;
	/** Where it does not, the makers' processors differ: it always does. */
	readonly isNeverMisaligned?: boolean;
	readonly unit?: Unit;
	/** Of the last immediate, the low bits that are not reserved. */
	readonly immediateBits?: number;
	/**
	 * The manual only bounds the error of the result: this much relative to the true value, or for x87 in units in the last place. What it leaves open is
	 * another value for processors of another maker.
	 */
	readonly inexact?: number;
	/** For x87: how many registers from ST(0) on have such results. */
	readonly inexactResults?: number;
	/** Bits of FSW that the manual leaves undefined. */
	readonly undefinedFsw?: number;
	/** It needs an empty register before ST(0). */
	readonly pushes?: boolean;
}

/** A VEX prefix, but for the registers (SDM volume 2, 2.3.5). */
export interface Vex {
	/** Bits that the processor ignores are undefined. */
	readonly l: 0 | 1 | undefined;
	readonly w: 0 | 1 | undefined;
	/** Numbers of the prefix and of the map. */
	readonly prefix: number;
	readonly map: number;
}

export type Row = readonly [mnemonic: string, encoding: string, operands?: string, options?: FormOptions];

/** One instruction with one encoding and one operand size. */
export interface Form extends FormOptions {
	/** No other form has it. */
	readonly name: string;
	readonly mnemonic: string;
	/** 66, F2 or F3 where it is part of the opcode. */
	readonly mandatoryPrefix: number | undefined;
	/** What its VEX prefix says. */
	readonly vex: Vex | undefined;
	/** With the escape bytes, which a VEX prefix has in itself. */
	readonly opcode: readonly number[];
	/** ModRM.reg where it is part of the opcode. */
	readonly digit: number | undefined;
	readonly size: OperandSize;
	/** REX.W is needed for the size. */
	readonly isWide: boolean;
	readonly operands: readonly Operand[];
	/** The operand that ModRM.rm names. */
	readonly rm: Operand | undefined;
	/** Bytes of the immediates in their order. */
	readonly immediates: readonly number[];
}

const kindNames: Readonly<Record<OperandKind, string>> = {
	E: 'r/m',
	R: 'r',
	M: 'm',
	G: 'r',
	B: 'r',
	Z: 'r',
	I: 'imm',
	J: 'rel',
	O: 'moffs',
	a: 'acc',
	V: 'xmm',
	W: 'xmm/m',
	U: 'xmm',
	H: 'xmm',
	L: 'xmm',
	P: 'mm',
	Q: 'mm/m',
	N: 'mm',
	S: 'st',
};
/** Kinds that ModRM.rm names, and those of them that may be in memory. */
const rmKinds: readonly OperandKind[] = ['E', 'R', 'M', 'W', 'U', 'Q', 'N'];
const memoryKinds: readonly OperandKind[] = ['E', 'M', 'W', 'Q'];
const fixedBytes: Readonly<Record<string, number>> = {
	...{b: 1, w: 2, d: 4, q: 8, dq: 16, '': 0},
	...{ps: 16, pd: 16, ss: 4, sd: 8, t: 10, qq: 32},
};
const elementOfCode: Readonly<Record<string, Element>> = {
	ps: 'single',
	ss: 'single',
	pd: 'double',
	sd: 'double',
	t: 'extended',
	bcd: 'decimal',
};
/** Sizes that an operand's size code stands for. */
const sizesOfCode: Readonly<Record<string, readonly OperandSize[]>> = {v: [16, 32, 64], y: [32, 64], n: [64, 16]};

/** The forms of rows: one for each operand size. */
export function formsOf(rows: readonly Row[], defaults: FormOptions = {}): readonly Form[] {
	return rows.flatMap(([mnemonic, encoding, operands = '', given]) => {
		const options = {...defaults, ...given};
		return sizesOf(mnemonic, operands, options).map((size) => formOf([mnemonic, encoding, operands, options], size));
	});
}

/** ModRM.rm may name a place in memory. */
export const hasMemory = ({kind}: Operand): boolean => memoryKinds.includes(kind);

function sizesOf(mnemonic: string, operands: string, options: FormOptions): readonly OperandSize[] {
	if (options.sizes !== undefined) return options.sizes;
	const codes = words(operands).map((word) => word.slice(1));
	for (const code of ['v', 'n', 'y']) if (codes.includes(code)) return sizesOfCode[code] as readonly OperandSize[];
	if (options.unit !== undefined) return [64];
	const [first = 'd'] = codes;
	if (!(first in fixedBytes)) throw new Error(`${mnemonic} has an operand of unknown size, ${first}`);
	return [first === 'b' ? 8 : 32];
}

function formOf([mnemonic, encoding, operandText = '', options = {}]: Row, size: OperandSize): Form {
	const operands = words(operandText).map((word) => operandOf(word, size));
	const parts = words(encoding);
	const digit = parts.find((part) => part.startsWith('/'));
	const vex = parts.find((part) => part.startsWith('VEX'));
	const opcode = parts.filter((part) => part !== digit && part !== vex).map((part) => Number.parseInt(part, 16));
	const hasMandatory = opcode.length > 1 && [0x66, 0xf2, 0xf3].includes(opcode[0] as number);
	const isSizeGiven = options.sizes !== undefined || words(operandText).some((word) => word.endsWith('y'));
	const isNative =
		options.isNative === true ||
		words(operandText).some((word) => word.endsWith('n')) ||
		(options.unit !== undefined && !isSizeGiven);
	const rm = operands.find(({kind}) => rmKinds.includes(kind));
	const isAligned = options.unit === 'sse' && vex === undefined && rm?.bytes === 16 && hasMemory(rm);
	const texts = operands.map(({kind, bytes}) => `${kindNames[kind]}${bytes === 0 ? '' : bytes * 8}`);
	const sizeText = options.sizes === undefined ? '' : `${size} bits, `;
	return {
		isAligned,
		...options,
		name: `${[mnemonic, texts.join(', ')].join(' ').trim()} (${sizeText}${encoding})`,
		mnemonic,
		vex: vex === undefined ? undefined : vexOf(vex, size === 64 && !isNative),
		mandatoryPrefix: hasMandatory ? opcode[0] : undefined,
		opcode: hasMandatory ? opcode.slice(1) : opcode,
		digit: digit === undefined ? undefined : Number(digit.slice(1)),
		size,
		isWide: size === 64 && !isNative,
		operands,
		rm,
		immediates: operands.filter(({kind}) => kind === 'I').map(({bytes}) => bytes),
	};
}

/** @param isWide - 64 bits, where the size of the operands decides on VEX.W */
function vexOf(text: string, isWide: boolean): Vex {
	const [, length = '', prefix = '', map = '', w = isWide ? 'W1' : 'W0'] = text.split('.');
	return {
		l: length === 'LIG' ? undefined : length === '256' ? 1 : 0,
		w: w === 'WIG' ? undefined : w === 'W1' ? 1 : 0,
		prefix: ['NP', '66', 'F3', 'F2'].indexOf(prefix),
		map: ['0F', '0F38', '0F3A'].indexOf(map) + 1,
	};
}

function operandOf(word: string, size: OperandSize): Operand {
	const kind = word[0] as OperandKind;
	const [code = '', content = code] = word.slice(1).split(':');
	if (!(kind in kindNames)) throw new Error(`no kind of operand: ${word}`);
	const element = elementOfCode[content] ?? 'integer';
	if (code === 'z') return {kind, bytes: Math.min(size / 8, 4), element};
	if (code === 'y') return {kind, bytes: Math.max(size / 8, 4), element};
	const bytes = /^\d+$/.test(code) ? Number(code) : (fixedBytes[code] ?? size / 8);
	return {kind, bytes, element};
}

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
