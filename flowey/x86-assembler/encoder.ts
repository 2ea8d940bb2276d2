import {
	type LabelExpression,
	type Memory,
	type OperandSize,
	type Register,
	toExpression,
	type Value,
} from './operands.ts';
import {type Fixup, type Program, writeInteger} from './program.ts';

/** The processor mode the code is for, which decides prefixes and addressing forms. */
export type CodeBits = 16 | 32 | 64;

/** Prefix bytes that a program can put before the next instruction. */
export type PrefixName = 'lock' | 'rep' | 'repne';

const prefixBytes: Readonly<Record<PrefixName, number>> = {lock: 0xf0, rep: 0xf3, repne: 0xf2};

/** One instruction, as the tables describe it; Intel SDM volume 2, chapter 2. */
export interface Encoding {
	readonly opcode: readonly number[];
	/** Operand size; decides the 66 prefix and REX.W. */
	readonly size: OperandSize;
	/** The instruction is 64 bits wide in 64-bit mode without REX.W (push, pop, near branches, system registers). */
	readonly isWideByDefault?: boolean;
	/** The ModRM reg field: a register, or an opcode extension. */
	readonly reg?: Register | number;
	/** The ModRM r/m operand; without it there is no ModRM byte. */
	readonly rm?: Register | Memory;
	/** A register in the low three bits of the last opcode byte. */
	readonly opcodeRegister?: Register;
	readonly immediate?: {readonly size: 1 | 2 | 4 | 8; readonly value: Value};
}

interface Addressing {
	/** ModRM without the reg field, SIB and displacement. */
	readonly bytes: number[];
	readonly fixup?: Omit<Fixup, 'offset'> & {readonly offset: number};
}

/** Turns {@link Encoding}s into bytes for one mode and appends them to a program. */
export class Encoder {
	readonly #program: Program;
	bits: CodeBits;
	readonly #pending: PrefixName[] = [];

	constructor(program: Program, bits: CodeBits) {
		this.#program = program;
		this.bits = bits;
	}

	/** Puts a prefix before the next instruction. */
	addPrefix(name: PrefixName): void {
		this.#pending.push(name);
	}

	emit(encoding: Encoding): void {
		const bytes = this.#prefixes(encoding);
		bytes.push(...encoding.opcode);
		if (encoding.opcodeRegister) bytes.push((bytes.pop() ?? 0) | (encoding.opcodeRegister.code & 7));
		const fixups: Fixup[] = [];
		if (encoding.rm) this.#addModRm(bytes, fixups, encoding.rm, encoding.reg ?? 0);
		if (encoding.immediate) addImmediate(bytes, fixups, encoding.immediate.size, encoding.immediate.value);
		this.#program.addBytes(bytes, fixups);
	}

	#prefixes(encoding: Encoding): number[] {
		const {size, rm, reg, opcodeRegister} = encoding;
		const bytes: number[] = [];
		if (rm?.kind === 'memory' && this.#needsAddressPrefix(rm)) bytes.push(0x67);
		if (size === (this.bits === 16 ? 32 : 16)) bytes.push(0x66);
		for (const name of this.#pending) bytes.push(prefixBytes[name]);
		this.#pending.length = 0;
		const rex = rexBits(encoding);
		if (rex === 0 && !(needsRex(rm) || needsRex(reg) || needsRex(opcodeRegister))) return bytes;
		if (this.bits !== 64) throw new Error(`${this.bits}-bit code cannot use 64-bit registers`);
		bytes.push(0x40 | rex);
		return bytes;
	}

	#needsAddressPrefix({base, index}: Memory): boolean {
		const size = base?.size ?? index?.register.size ?? this.bits;
		if (size === this.bits) return false;
		if (this.bits === 16 && size === 32) return true;
		throw new Error(`${this.bits}-bit code cannot address through a ${size}-bit register`);
	}

	#addModRm(bytes: number[], fixups: Fixup[], rm: Register | Memory, reg: Register | number): void {
		const field = ((typeof reg === 'number' ? reg : reg.code) & 7) << 3;
		if (rm.kind === 'register') {
			bytes.push(0xc0 | field | (rm.code & 7));
			return;
		}
		const usesWordAddressing = this.bits === 16 && (rm.base?.size ?? rm.index?.register.size ?? 16) === 16;
		const addressing = usesWordAddressing ? wordAddressing(rm) : wideAddressing(rm, this.bits === 64);
		if (addressing.fixup) fixups.push({...addressing.fixup, offset: bytes.length + addressing.fixup.offset});
		const [first = 0, ...rest] = addressing.bytes;
		bytes.push(first | field, ...rest);
	}
}

function needsRex(operand: Register | Memory | number | undefined): boolean {
	return typeof operand === 'object' && operand.kind === 'register' && operand.needsRex;
}

function rexBits({size, isWideByDefault, rm, reg, opcodeRegister}: Encoding): number {
	let rex = size === 64 && !isWideByDefault ? 8 : 0;
	if ((typeof reg === 'object' ? reg.code : (reg ?? 0)) >= 8) rex |= 4;
	if (rm?.kind === 'memory' && (rm.index?.register.code ?? 0) >= 8) rex |= 2;
	const base = rm?.kind === 'memory' ? rm.base : (rm ?? opcodeRegister);
	if ((base?.code ?? 0) >= 8) rex |= 1;
	return rex;
}

function addImmediate(bytes: number[], fixups: Fixup[], size: 1 | 2 | 4 | 8, value: Value): void {
	const offset = bytes.length;
	const field: number[] = new Array(size).fill(0);
	if (typeof value === 'number' || typeof value === 'bigint') writeInteger(field, 0, size, value);
	else fixups.push({offset, size, kind: 'absolute', expression: toExpression(value)});
	bytes.push(...field);
}

function displacementBytes(value: number, size: 1 | 2 | 4): number[] {
	const bytes: number[] = new Array(size).fill(0);
	writeInteger(bytes, 0, size, value);
	return bytes;
}

function withDisplacement(label: LabelExpression | undefined, displacement: number): LabelExpression | undefined {
	return label && {...label, add: (label.add ?? 0) + displacement};
}

/** 32-bit and 64-bit addressing: SDM volume 2, tables 2-2 and 2-3. */
function wideAddressing({base, index, displacement, label}: Memory, isLongMode: boolean): Addressing {
	const expression = withDisplacement(label, displacement);
	if (!base && !index && expression && isLongMode) {
		return {bytes: [0x05, 0, 0, 0, 0], fixup: {offset: 1, size: 4, kind: 'relative', expression}};
	}
	const head: number[] = [];
	const needsSib = index !== undefined || (base ? (base.code & 7) === 4 : isLongMode);
	const isBare = !base;
	const isShort = !isBare && !label && displacement >= -128 && displacement <= 127;
	const isNone = isShort && displacement === 0 && (base.code & 7) !== 5;
	const mod = isBare || isNone ? 0x00 : isShort ? 0x40 : 0x80;
	head.push(mod | (needsSib ? 4 : isBare ? 5 : base.code & 7));
	if (needsSib) {
		if (index?.register.code === 4) throw new Error('The stack pointer cannot be an index');
		const scale = Math.log2(index?.scale ?? 1) << 6;
		head.push(scale | ((index ? index.register.code & 7 : 4) << 3) | (base ? base.code & 7 : 5));
	}
	if (isNone) return {bytes: head};
	if (isShort) return {bytes: [...head, ...displacementBytes(displacement, 1)]};
	if (!expression) return {bytes: [...head, ...displacementBytes(displacement, 4)]};
	return {bytes: [...head, 0, 0, 0, 0], fixup: {offset: head.length, size: 4, kind: 'absolute', expression}};
}

const wordBases: Readonly<Record<string, number>> = {si: 4, di: 5, bp: 6, bx: 7};

/** 16-bit addressing: SDM volume 2, table 2-1, without the two-register forms. */
function wordAddressing({base, displacement, label, index}: Memory): Addressing {
	const row = base ? wordBases[base.name] : 6;
	if (row === undefined || index) throw new Error('16-bit addressing has one base: BX, BP, SI or DI');
	const expression = withDisplacement(label, displacement);
	const mod = base ? 0x80 : 0;
	if (expression) return {bytes: [mod | row, 0, 0], fixup: {offset: 1, size: 2, kind: 'absolute', expression}};
	if (!base) return {bytes: [row, ...displacementBytes(displacement, 2)]};
	if (displacement === 0 && row !== 6) return {bytes: [row]};
	if (displacement >= -128 && displacement <= 127) return {bytes: [0x40 | row, ...displacementBytes(displacement, 1)]};
	return {bytes: [mod | row, ...displacementBytes(displacement, 2)]};
}
