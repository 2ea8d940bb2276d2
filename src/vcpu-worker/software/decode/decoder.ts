import type {StepWidth} from '#vcpu-worker/software/semantics';
import {CpuState, generalAt, highByteAt, mmxAt, segmentBaseAt, vectorAt} from '#vcpu-worker/software/state';
import {type Announced, Feature} from './features.ts';
import type {CodeSize, Instruction, MemoryOperand, Operand} from './instruction.ts';
import {featureOfName} from './needs.ts';
import {groupMember, type Opcode, type OpcodeMap, opcodeAt} from './opcode-table.ts';
import {isSystemGroup, type Prefix, systemGroupMember} from './system-groups.ts';
import {vectorGroupMember, vectorOpcodeAt} from './vector-table.ts';
import {type VexPrefix, vexOpcodeAt} from './vex-table.ts';
import {isX87Escape, x87Opcode} from './x87-table.ts';

/** Most bytes of an instruction (SDM volume 2, 2.3.11). */
const maxLength = 15;
const none = CpuState.offset('none');
const stackSegment = segmentBaseAt(2);
const codePage = CpuState.offset('codePage');
/** Segments by their prefixes. */
const segmentOf: Readonly<Record<number, number>> = {
	38: segmentBaseAt(0),
	46: segmentBaseAt(1),
	54: segmentBaseAt(2),
	62: segmentBaseAt(3),
	100: segmentBaseAt(4),
	101: segmentBaseAt(5),
};
/** Those that 64-bit code ignores: it has no other bases than those of FS and GS (SDM volume 1, 3.4.2.1). */
const ignoredSegments = new Set([0x26, 0x2e, 0x36, 0x3e]);
const dataSegment = segmentBaseAt(3);
/** Base and index of addresses of 16 bits, by the low bits of ModRM (SDM volume 2, table 2-1). */
const address16 = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]] as const;
const stackPointer = 4;
const framePointer = 5;
/** Maps and prefixes by the numbers that a VEX prefix has for them (SDM volume 2, 2.3.5.6, 2.3.6). */
const vexMaps: readonly (OpcodeMap | undefined)[] = [undefined, 'twoByte', 'map38', 'map3a'];
const vexPrefixes: readonly Prefix[] = ['..', '66', 'f3', 'f2'];

/** Bits of operands by the letter that says them; others go by the operand size. */
const widthOf: Readonly<Record<string, StepWidth>> = {b: 8, w: 16, d: 32, q: 64, x: 128, y: 256};

/** Reason why bytes are no instruction. */
export type DecodeFailure =
	/** #UD. */
	| 'undefined'
	/** #GP: longer than 15 bytes. */
	| 'tooLong'
	/** More bytes are needed than are given. */
	| 'truncated';

class Failure {
	readonly reason: DecodeFailure;
	constructor(reason: DecodeFailure) {
		this.reason = reason;
	}
}

/**
 * Decodes one instruction.
 * @param bytes - from its first byte on; as many as may be fetched
 * @param pageOffset - where in its page it begins, which RIP-relative addresses go by
 * @param codeSize - of the code segment
 * @param announced - what is not is undefined; everything is if nothing is said
 */
export function decode(
	bytes: Uint8Array,
	pageOffset: number,
	codeSize: CodeSize = 64,
	announced: Announced = () => true,
): Instruction | DecodeFailure {
	try {
		return new Decoding(bytes, pageOffset, codeSize, announced).instruction();
	} catch (error) {
		if (error instanceof Failure) return error.reason;
		throw error;
	}
}

/** One opcode is two instructions: with operands of 64 bits CMPXCHG8B is CMPXCHG16B. */
const nameOf = ({name}: Opcode, operandSize: number): string =>
	name === 'cmpxchg8b' && operandSize === 64 ? 'cmpxchg16b' : name;

class Decoding {
	readonly #bytes: Uint8Array;
	readonly #pageOffset: number;
	readonly #codeSize: CodeSize;
	readonly #announced: Announced;
	#at = 0;
	#hasOperandPrefix = false;
	#hasAddressPrefix = false;
	#isLocked = false;
	#repeat: 'f2' | 'f3' | undefined;
	#segment: number | undefined;
	#rex = 0;
	#vex: VexPrefix | undefined;
	/** Tells of what may not be with a VEX prefix; an instruction that is too long is another exception. */
	#isVexRight = true;
	#opcode = 0;
	#modRm = -1;
	/** The operand in memory, before the length of the instruction is known: whether it is relative to RIP. */
	#isRelative = false;
	#displacementBytes = 0;
	#constantBytes = 0;

	constructor(bytes: Uint8Array, pageOffset: number, codeSize: CodeSize, announced: Announced) {
		this.#bytes = bytes;
		this.#pageOffset = pageOffset;
		this.#codeSize = codeSize;
		this.#announced = announced;
	}

	instruction(): Instruction {
		this.#prefixes();
		const opcode = this.#member(this.#lookUp());
		if (this.#codeSize !== 64 && opcode.words.has('only64')) throw new Failure('undefined');
		if (opcode.words.has('bare') && (this.#hasOperandPrefix || this.#repeat !== undefined))
			throw new Failure('undefined');
		if (opcode.words.has('with66') && this.#prefix !== '66') throw new Failure('undefined');
		const operandSize = this.#operandSize(opcode);
		const name = nameOf(opcode, operandSize);
		if (!this.#isThere(opcode, name)) throw new Failure('undefined');
		const addressSize = this.#addressSize;
		const operands = opcode.operands.map((letters) => this.#operand(letters, operandSize));
		if (this.#isLocked && !(opcode.words.has('lock') && operands[0]?.kind === 'memory')) throw new Failure('undefined');
		const isClear = !opcode.words.has('distinct') || areDistinct(operands);
		if (!this.#isVexRight || !isClear) throw new Failure('undefined');
		return {
			name,
			operands: this.#isRelative ? operands.map((operand) => this.#relativeToNext(operand)) : operands,
			operandSize,
			addressSize,
			codeSize: this.#codeSize,
			condition: this.#opcode & 15,
			isVex: this.#vex !== undefined,
			vectorBits: this.#vex?.l === 1 && !opcode.words.has('scalar') ? 256 : 128,
			isVector: opcode.words.has('vector'),
			isMmx: opcode.words.has('mmx') && (operands.length === 0 || operands.some(isMmxRegister)),
			x87Opcode: opcode.words.has('x87') ? ((this.#opcode & 7) << 8) | Math.max(this.#modRm, 0) : undefined,
			isLocked: this.#isLocked,
			repeat: this.#repeat,
			segment: this.#segment ?? this.#defaultSegment,
			displacementBytes: this.#displacementBytes,
			constantBytes: this.#constantBytes,
			length: this.#at,
		};
	}

	/** True where CPUID announces what the instruction comes with. */
	#isThere({words, feature}: Opcode, name: string): boolean {
		if (words.has('x87') && !this.#announced(Feature.fpu)) return false;
		// Processors with long mode have it in any case (APM volume 3, PREFETCH).
		if (name === 'prefetch') return this.#announced(Feature.prefetchw) || this.#announced(Feature.longMode);
		const isOther64 = this.#codeSize === 64 && (name === 'lahf' || name === 'sahf');
		const needed = feature ?? featureOfName(isOther64 ? `${name}64` : name);
		return needed === undefined || this.#announced(needed);
	}

	#operandSize({words}: Opcode): 16 | 32 | 64 {
		const isFixed = this.#vex !== undefined || words.has('vector') || words.has('mmx') || words.has('no16');
		if (isFixed) return (this.#rex & 8) === 0 ? 32 : 64;
		if (this.#codeSize !== 64) return (this.#codeSize === 16) !== this.#hasOperandPrefix ? 16 : 32;
		const isWide = (this.#rex & 8) !== 0;
		return isWide || (words.has('d64') && !this.#hasOperandPrefix) ? 64 : this.#hasOperandPrefix ? 16 : 32;
	}

	/** What of the prefixes chooses among instructions. */
	get #prefix(): Prefix {
		return this.#repeat ?? (this.#hasOperandPrefix ? '66' : '..');
	}

	get #addressSize(): 16 | 32 | 64 {
		if (this.#codeSize === 64) return this.#hasAddressPrefix ? 32 : 64;
		return (this.#codeSize === 16) !== this.#hasAddressPrefix ? 16 : 32;
	}

	/** Segment of data; 64-bit code has none. */
	get #defaultSegment(): number {
		return this.#codeSize === 64 ? none : dataSegment;
	}

	#prefixes(): void {
		for (;;) {
			const byte = this.#next();
			if (byte === 0x66) this.#hasOperandPrefix = true;
			else if (byte === 0x67) this.#hasAddressPrefix = true;
			else if (byte === 0xf0) this.#isLocked = true;
			else if (byte === 0xf2) this.#repeat = 'f2';
			else if (byte === 0xf3) this.#repeat = 'f3';
			else if (this.#codeSize === 64 && ignoredSegments.has(byte)) continue;
			else if (segmentOf[byte] !== undefined) this.#segment = segmentOf[byte];
			else if (this.#codeSize === 64 && byte >> 4 === 4) {
				// REX counts only right before the opcode (SDM volume 2, 2.2.1).
				this.#rex = byte;
				this.#opcode = this.#next();
				if (!isPrefix(this.#opcode)) return;
				this.#rex = 0;
				this.#at--;
			} else {
				this.#opcode = byte;
				return;
			}
		}
	}

	#lookUp(): Opcode {
		if (this.#isVex()) return this.#vexOpcode();
		let map: OpcodeMap = 'oneByte';
		if (this.#opcode === 0x0f) {
			map = 'twoByte';
			this.#opcode = this.#next();
			if (this.#opcode === 0x38 || this.#opcode === 0x3a) {
				map = this.#opcode === 0x38 ? 'map38' : 'map3a';
				this.#opcode = this.#next();
			}
		}
		const vector = vectorOpcodeAt(map, this.#opcode, this.#prefix);
		if (vector !== undefined) return vector;
		const isX87 = map === 'oneByte' && isX87Escape(this.#opcode);
		const isRepeated = this.#repeat === 'f3';
		if (map === 'twoByte' && this.#opcode === 0xb8 && !isRepeated) throw new Failure('undefined');
		const opcode = isX87
			? x87Opcode(this.#opcode, this.#readModRm())
			: opcodeAt(
					map,
					this.#opcode,
					map === 'map38' && this.#prefix !== '..' ? this.#prefix : '',
					this.#codeSize === 64,
				);
		if (opcode === undefined) throw new Failure('undefined');
		// Where they are not there the prefix says nothing.
		if (isRepeated && opcode.name === 'bsf' && this.#announced(Feature.bmi1)) return {...opcode, name: 'tzcnt'};
		if (isRepeated && opcode.name === 'bsr' && this.#announced(Feature.lzcnt)) return {...opcode, name: 'lzcnt'};
		// 90 is XCHG of RAX with itself, but for REX.B (SDM volume 2, NOP).
		if (map === 'oneByte' && this.#opcode === 0x90 && (this.#rex & 1) !== 0)
			return {name: 'xchg', operands: ['Zv', 'Av'], words: new Set()};
		return opcode;
	}

	/** True where the opcode is a VEX prefix: outside of 64-bit code it is LES or LDS, which have memory. */
	#isVex(): boolean {
		if (this.#opcode !== 0xc4 && this.#opcode !== 0xc5) return false;
		const following = this.#bytes[this.#at];
		return this.#codeSize === 64 || (following !== undefined && following >> 6 === 3);
	}

	/** Takes a VEX prefix, before which no other may be that it has in itself (SDM volume 2, 2.3.2 to 2.3.4), and its opcode. */
	#vexOpcode(): Opcode {
		const isLong = this.#opcode === 0xc4;
		const first = this.#next();
		// However long it is: only with the prefix's second byte beyond the fifteenth is it too long instead.
		if (this.#rex !== 0) throw new Failure('undefined');
		const last = isLong ? this.#next() : first;
		this.#opcode = this.#next();
		// Registers are inverted, which is what leaves room for LES and LDS.
		const extensions = (isLong ? ~first >> 5 : (~first >> 5) & 4) & 7;
		const w = isLong && last >= 0x80 ? 1 : 0;
		const map = isLong ? vexMaps[first & 31] : 'twoByte';
		if (map === undefined) throw new Failure('undefined');
		const register = (~last >> 3) & 15;
		this.#vex = {map, prefix: vexPrefixes[last & 3] ?? '..', register, w, l: (last & 4) === 0 ? 0 : 1};
		if (this.#codeSize === 64) this.#rex = 0x40 | (w << 3) | extensions;
		const opcode = vexOpcodeAt(this.#vex, this.#opcode, () => this.#readModRm());
		const namesRegister = opcode?.operands.some(([form = '']) => 'BH'.includes(form)) ?? false;
		if (opcode === undefined) throw new Failure('undefined');
		this.#isVexRight = !this.#hasOperandPrefix && this.#repeat === undefined && (register === 0 || namesRegister);
		return opcode;
	}

	/** The register that a VEX prefix names. */
	get #vexRegister(): number {
		return (this.#vex?.register ?? 0) & (this.#codeSize === 64 ? 15 : 7);
	}

	#member(opcode: Opcode): Opcode {
		if (opcode.words.has('vector') || opcode.words.has('mmx')) return this.#vectorMember(opcode);
		if (isSystemGroup(opcode.name)) {
			const found = systemGroupMember(opcode, this.#readModRm(), this.#prefix);
			if (found !== undefined) return found;
			if (opcode.name !== 'group7') throw new Failure('undefined');
		}
		const member = opcode.name.startsWith('group') ? groupMember(opcode, (this.#readModRm() >> 3) & 7) : opcode;
		if (member === undefined) throw new Failure('undefined');
		return member;
	}

	#vectorMember(opcode: Opcode): Opcode {
		if (!opcode.name.startsWith('group')) return opcode;
		const found = vectorGroupMember(opcode, (this.#readModRm() >> 3) & 7);
		if (found === undefined) throw new Failure('undefined');
		return found;
	}

	#operand(letters: string, operandSize: 16 | 32 | 64): Operand {
		const [form = '', size = ''] = [letters[0], letters.slice(1)];
		const width = widthOf[size] ?? operandSize;
		if (letters === '1') return {kind: 'immediate', value: 1n, width: 8};
		if (letters === 'CL') return this.#register(1, 8);
		switch (form) {
			case 'E':
				return this.#readModRm() >> 6 === 3
					? this.#register((this.#readModRm() & 7) | ((this.#rex & 1) << 3), width)
					: this.#memory(width);
			case 'V':
				return {kind: 'register', place: vectorAt(((this.#readModRm() >> 3) & 7) | ((this.#rex & 4) << 1)), width: 128};
			case 'W':
				return this.#readModRm() >> 6 === 3 ? this.#vectorRegister(width) : this.#memory(width);
			case 'U':
				if (this.#readModRm() >> 6 !== 3) throw new Failure('undefined');
				return this.#vectorRegister(size === '' ? 128 : width);
			case 'Y':
				return this.#readModRm() >> 6 === 3
					? this.#register((this.#readModRm() & 7) | ((this.#rex & 1) << 3), 32)
					: this.#memory(width);
			case 'F':
				if (this.#readModRm() >> 6 === 3 || (this.#readModRm() & 7) !== 4 || this.#addressSize === 16)
					throw new Failure('undefined');
				return this.#memory(width, vectorAt);
			case 'M':
				if (this.#readModRm() >> 6 === 3) throw new Failure('undefined');
				return this.#memory(width);
			case 'G':
				return this.#register(((this.#readModRm() >> 3) & 7) | ((this.#rex & 4) << 1), width);
			case 'B':
				return this.#register(this.#vexRegister, width);
			case 'H':
				return {kind: 'register', place: vectorAt(this.#vexRegister), width: 128};
			case 'L': {
				// The upper half of a byte behind all else.
				const number = (Number(BigInt.asUintN(8, this.#constant(1))) >> 4) & (this.#codeSize === 64 ? 15 : 7);
				return {kind: 'register', place: vectorAt(number), width: 128};
			}
			case 'Z':
				return this.#register((this.#opcode & 7) | ((this.#rex & 1) << 3), width);
			case 'A':
				return {kind: 'register', place: generalAt(0), width};
			case 'R':
				return this.#register((this.#readModRm() & 7) | ((this.#rex & 1) << 3), this.#codeSize === 64 ? 64 : 32);
			case 'P':
				if (size === '') return this.#farPointer(operandSize);
				return {kind: 'register', place: mmxAt((this.#readModRm() >> 3) & 7), width: 64};
			case 'Q':
				return this.#readModRm() >> 6 === 3 ? this.#mmxRegister() : this.#memory(width);
			case 'N':
				if (this.#readModRm() >> 6 !== 3) throw new Failure('undefined');
				return this.#mmxRegister();
			case 'S':
				if (size !== '') return {kind: 'immediate', value: BigInt(size), width: 8};
				return {kind: 'immediate', value: BigInt((this.#readModRm() >> 3) & 7), width: 8};
			case 'C':
				return {kind: 'immediate', value: BigInt(((this.#readModRm() >> 3) & 7) | ((this.#rex & 4) << 1)), width: 8};
			case 'T':
				return {kind: 'immediate', value: BigInt(this.#readModRm() & 7), width: 8};
			case 'I':
				return this.#immediate(size, operandSize);
			case 'J':
				// 64-bit code has no displacements of 16 bits.
				return {
					kind: 'relative',
					value: this.#constant(size === 'b' ? 1 : operandSize === 16 && this.#codeSize !== 64 ? 2 : 4),
				};
			case 'O': {
				const displacement = this.#displacement(this.#addressSize / 8);
				const wrapped = this.#addressSize === 64 ? displacement : BigInt.asUintN(this.#addressSize, displacement);
				return this.#address({base: none, index: none, scale: 0, displacement: wrapped, width});
			}
			case 'X':
				return {kind: 'register', place: generalAt(0), width};
			default:
				throw new RangeError(`an operand ${letters}`);
		}
	}

	/** Offset, and from bit 32 on the selector. */
	#farPointer(operandSize: 16 | 32 | 64): Operand {
		const bits = operandSize === 16 ? 16 : 32;
		const offset = BigInt.asUintN(bits, this.#constant(bits / 8));
		return {kind: 'immediate', value: offset | (BigInt.asUintN(16, this.#constant(2)) << 32n), width: 64};
	}

	/** The register that ModRM.rm names. */
	#vectorRegister(width: StepWidth): Operand {
		return {kind: 'register', place: vectorAt((this.#readModRm() & 7) | ((this.#rex & 1) << 3)), width};
	}

	/** MMX has eight registers, whatever REX says (SDM volume 2, 2.2.1.2). */
	#mmxRegister(): Operand {
		return {kind: 'register', place: mmxAt(this.#readModRm() & 7), width: 64};
	}

	#register(number: number, width: StepWidth): Operand {
		// Without REX the numbers 4 to 7 name the second byte of the first four (SDM volume 1, 3.4.1.1).
		const isHigh = width === 8 && this.#rex === 0 && number >= 4 && number < 8;
		return {kind: 'register', place: isHigh ? highByteAt(number) : generalAt(number), width};
	}

	/** @param indexAt - place of an index that is a vector */
	#memory(width: StepWidth, indexAt?: (number: number) => number): MemoryOperand {
		if (this.#addressSize === 16) return this.#memory16(width);
		const mode = this.#readModRm() >> 6;
		const low = this.#readModRm() & 7;
		let base = none;
		let index = none;
		let scale = 0;
		let hasDisplacement32 = mode === 2;
		if (low === 4) {
			const sib = this.#next();
			const indexNumber = ((sib >> 3) & 7) | ((this.#rex & 2) << 2);
			if (indexAt !== undefined) index = indexAt(indexNumber);
			else if (indexNumber !== stackPointer) index = generalAt(indexNumber);
			scale = sib >> 6;
			if ((sib & 7) === framePointer && mode === 0) hasDisplacement32 = true;
			else base = generalAt((sib & 7) | ((this.#rex & 1) << 3));
		} else if (low === framePointer && mode === 0) {
			hasDisplacement32 = true;
			// Outside of 64-bit code it is a displacement alone.
			this.#isRelative = this.#codeSize === 64;
			if (this.#isRelative) base = codePage;
		} else base = generalAt(low | ((this.#rex & 1) << 3));
		const displacement = mode === 1 ? this.#displacement(1) : hasDisplacement32 ? this.#displacement(4) : 0n;
		return this.#address({base, index, scale, displacement, width});
	}

	#memory16(width: StepWidth): MemoryOperand {
		const mode = this.#readModRm() >> 6;
		const low = this.#readModRm() & 7;
		if (mode === 0 && low === 6)
			return this.#address({base: none, index: none, scale: 0, displacement: this.#displacement(2), width});
		const [base = 0, index] = address16[low] ?? [];
		const displacement = mode === 0 ? 0n : this.#displacement(mode);
		return this.#address({
			base: generalAt(base),
			index: index === undefined ? none : generalAt(index),
			scale: 0,
			displacement,
			width,
		});
	}

	#address(parts: Omit<MemoryOperand, 'kind' | 'segment'>): MemoryOperand {
		// SS is that of RSP and RBP, which counts in 64-bit mode for the kind of exception (SDM volume 1, table 3-5).
		const isStack = parts.base === generalAt(stackPointer) || parts.base === generalAt(framePointer);
		return {kind: 'memory', segment: this.#segment ?? (isStack ? stackSegment : this.#defaultSegment), ...parts};
	}

	/** An address relative to RIP is one relative to the page, now that the length is known. */
	#relativeToNext(operand: Operand): Operand {
		if (operand.kind !== 'memory') return operand;
		return {...operand, displacement: operand.displacement + BigInt(this.#pageOffset + this.#at)};
	}

	#immediate(size: string, operandSize: 16 | 32 | 64): Operand {
		if (size === 'u') return {kind: 'immediate', value: BigInt.asUintN(8, this.#constant(1)), width: 8};
		if (size === 'b') return {kind: 'immediate', value: this.#constant(1), width: 8};
		if (size === 'bs') return {kind: 'immediate', value: this.#constant(1), width: operandSize};
		if (size === 'w') return {kind: 'immediate', value: BigInt.asUintN(16, this.#constant(2)), width: 16};
		const bytes = operandSize === 16 ? 2 : size === 'v' && operandSize === 64 ? 8 : 4;
		return {kind: 'immediate', value: this.#constant(bytes), width: operandSize};
	}

	#readModRm(): number {
		if (this.#modRm < 0) this.#modRm = this.#next();
		return this.#modRm;
	}

	#displacement(bytes: number): bigint {
		this.#displacementBytes = bytes;
		return this.#signed(bytes);
	}

	#constant(bytes: number): bigint {
		this.#constantBytes += bytes;
		return this.#signed(bytes);
	}

	#signed(bytes: number): bigint {
		let value = 0n;
		for (let index = 0; index < bytes; index++) value |= BigInt(this.#next()) << BigInt(index * 8);
		return BigInt.asIntN(bytes * 8, value);
	}

	#next(): number {
		if (this.#at >= maxLength) throw new Failure('tooLong');
		const byte = this.#bytes[this.#at];
		if (byte === undefined) throw new Failure('truncated');
		this.#at++;
		return byte;
	}
}

/** A conversion from memory to an XMM register touches no MMX register, and no state of theirs: so it is on processors of AMD. */
const isMmxRegister = (operand: Operand): boolean =>
	operand.kind === 'register' && operand.place >= mmxAt(0) && operand.place <= mmxAt(7);

/** Registers of a gather: none may be another one too (SDM volume 2, table 2-27). */
function areDistinct(operands: readonly Operand[]): boolean {
	const places = operands.map((operand) =>
		operand.kind === 'memory' ? operand.index : operand.kind === 'register' ? operand.place : 0,
	);
	return new Set(places).size === places.length;
}

const isPrefix = (byte: number): boolean =>
	byte === 0x66 ||
	byte === 0x67 ||
	byte === 0xf0 ||
	byte === 0xf2 ||
	byte === 0xf3 ||
	segmentOf[byte] !== undefined ||
	byte >> 4 === 4;
