import type {Encoder} from './encoder.ts';
import type {ControlRegister, Memory, OperandSize, Register, SegmentRegister, Value} from './operands.ts';

type Operand = Register | Memory;

/** ALU operations: the number picks both the opcode row and the extension of the immediate form. */
const aluTable = {add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7} as const;
/** One-operand instructions: opcode of the byte form, and extension. */
const unaryTable = {
	not: [0xf6, 2],
	neg: [0xf6, 3],
	mul: [0xf6, 4],
	div: [0xf6, 6],
	idiv: [0xf6, 7],
	inc: [0xfe, 0],
	dec: [0xfe, 1],
} as const;
const shiftTable = {rol: 0, ror: 1, rcl: 2, rcr: 3, shl: 4, shr: 5, sar: 7} as const;
const bitTable = {bt: 4, bts: 5, btr: 6, btc: 7} as const;
/** Register into register or memory; opcode of the byte form. */
const exchangeTable = {xadd: [0x0f, 0xc0], cmpxchg: [0x0f, 0xb0], test_: [0x84]} as const;
const extendTable = {movzx: [0x0f, 0xb6], movsx: [0x0f, 0xbe]} as const;

/** Moves, arithmetic and logic. Operand order is Intel's: destination first. */
export interface DataInstructions {
	/** Takes every form of `mov`, including control and segment registers; a string or expression is a label's address. */
	mov(
		target: Operand | ControlRegister | SegmentRegister,
		source: Operand | ControlRegister | SegmentRegister | Value,
	): void;
	lea(target: Register, source: Memory): void;
	movzx(target: Register, source: Operand): void;
	movsx(target: Register, source: Operand): void;
	/** Sign-extends 32 bits to 64. */
	movsxd(target: Register, source: Operand): void;
	/** Two operands multiply in place; three multiply the second by a constant. */
	imul(target: Register, source: Operand, factor?: number): void;
	test(target: Operand, source: Register | number): void;
	xchg(target: Operand, source: Register): void;
	xadd(target: Operand, source: Register): void;
	cmpxchg(target: Operand, source: Register): void;
	push(source: Operand | Value): void;
	pop(target: Operand): void;
	not(target: Operand): void;
	neg(target: Operand): void;
	mul(source: Operand): void;
	div(source: Operand): void;
	idiv(source: Operand): void;
	inc(target: Operand): void;
	dec(target: Operand): void;
	add: Arithmetic;
	or: Arithmetic;
	adc: Arithmetic;
	sbb: Arithmetic;
	and: Arithmetic;
	sub: Arithmetic;
	xor: Arithmetic;
	cmp: Arithmetic;
	rol: Shift;
	ror: Shift;
	rcl: Shift;
	rcr: Shift;
	shl: Shift;
	shr: Shift;
	sar: Shift;
	bt: BitTest;
	bts: BitTest;
	btr: BitTest;
	btc: BitTest;
}

type Arithmetic = (target: Operand, source: Operand | Value) => void;
/** The count is a number or CL. */
type Shift = (target: Operand, count: number | Register) => void;
type BitTest = (target: Operand, bit: number | Register) => void;

const isOperand = (value: unknown): value is Operand =>
	typeof value === 'object' &&
	value !== null &&
	'kind' in value &&
	(value.kind === 'register' || value.kind === 'memory');
const isAccumulator = (operand: Operand): boolean => operand.kind === 'register' && operand.code === 0;
const isSignedByte = (value: Value): value is number => typeof value === 'number' && value >= -128 && value <= 127;
const wide = (size: OperandSize): 0 | 1 => (size === 8 ? 0 : 1);
const immediateSize = (size: OperandSize): 1 | 2 | 4 => (size === 64 ? 4 : ((size / 8) as 1 | 2 | 4));
const withLowBit = (opcode: readonly number[], bit: number): number[] =>
	opcode.map((value, index) => (index === opcode.length - 1 ? value | bit : value));

function requireSameSize(first: Operand, second: Operand): void {
	if (first.size !== second.size) throw new Error(`Operand sizes ${first.size} and ${second.size} differ`);
}

/** The `r/m, r` or `r, r/m` form of an opcode whose bit 1 is the direction. */
function emitPair(encoder: Encoder, opcode: number, target: Operand, source: Operand): void {
	requireSameSize(target, source);
	const {size} = target;
	if (source.kind === 'register') encoder.emit({opcode: [opcode | wide(size)], size, reg: source, rm: target});
	else if (target.kind === 'register') encoder.emit({opcode: [opcode | 2 | wide(size)], size, reg: target, rm: source});
	else throw new Error('Two memory operands do not fit one instruction');
}

function arithmetic(encoder: Encoder, row: number): Arithmetic {
	return (target, source) => {
		if (isOperand(source)) return emitPair(encoder, row << 3, target, source);
		const {size} = target;
		const immediate = {size: immediateSize(size), value: source} as const;
		if (size !== 8 && isSignedByte(source)) {
			return encoder.emit({opcode: [0x83], size, reg: row, rm: target, immediate: {size: 1, value: source}});
		}
		if (isAccumulator(target)) return encoder.emit({opcode: [(row << 3) | 4 | wide(size)], size, immediate});
		return encoder.emit({opcode: [0x80 | wide(size)], size, reg: row, rm: target, immediate});
	};
}

function move(encoder: Encoder): DataInstructions['mov'] {
	const systemSize = (): OperandSize => (encoder.bits === 64 ? 64 : 32);
	const emitSystem = (opcode: number[], reg: number, rm: Operand, size: OperandSize): void =>
		encoder.emit({opcode, size, isWideByDefault: true, reg, rm: rm as Register});
	return (target, source) => {
		if (target.kind === 'control' && isOperand(source)) {
			if (source.size !== systemSize()) throw new Error('A control register moves at full width');
			// Never a 66 prefix: the width follows the mode.
			return emitSystem([0x0f, 0x22], target.code, source, 64);
		}
		if (target.kind === 'segment' && isOperand(source)) return emitSystem([0x8e], target.code, source, 64);
		if (!isOperand(target)) throw new Error('Immediates do not move to system registers');
		if (isOperand(source)) return emitPair(encoder, 0x88, target, source);
		if (typeof source === 'object' && 'kind' in source) {
			if (source.kind === 'control') return emitSystem([0x0f, 0x20], source.code, target, 64);
			const size = target.kind === 'memory' ? 64 : target.size;
			return encoder.emit({opcode: [0x8c], size, reg: source.code, rm: target});
		}
		return moveImmediate(encoder, target, source);
	};
}

function moveImmediate(encoder: Encoder, target: Operand, value: Value): void {
	const {size} = target;
	const isNumber = typeof value === 'number' || typeof value === 'bigint';
	const fitsSigned32 = isNumber ? value >= -0x8000_0000 && value <= 0x7fff_ffff : true;
	const immediate = {size: immediateSize(size), value} as const;
	if (target.kind === 'register' && size === 64 && !fitsSigned32) {
		encoder.emit({opcode: [0xb8], size, opcodeRegister: target, immediate: {size: 8, value}});
	} else if (target.kind === 'register' && size !== 64) {
		encoder.emit({opcode: [size === 8 ? 0xb0 : 0xb8], size, opcodeRegister: target, immediate});
	} else encoder.emit({opcode: [0xc6 | wide(size)], size, reg: 0, rm: target, immediate});
}

function unary(encoder: Encoder, name: keyof typeof unaryTable): (target: Operand) => void {
	const [opcode, extension] = unaryTable[name];
	return (target) => {
		const {size} = target;
		const hasShortForm = opcode === 0xfe && encoder.bits !== 64 && size !== 8 && target.kind === 'register';
		if (hasShortForm) encoder.emit({opcode: [0x40 | (extension << 3)], size, opcodeRegister: target});
		else encoder.emit({opcode: [opcode | wide(size)], size, reg: extension, rm: target});
	};
}

function shift(encoder: Encoder, extension: number): Shift {
	return (target, count) => {
		const {size} = target;
		const form = {size, reg: extension, rm: target};
		if (typeof count !== 'number') encoder.emit({...form, opcode: [0xd2 | wide(size)]});
		else if (count === 1) encoder.emit({...form, opcode: [0xd0 | wide(size)]});
		else encoder.emit({...form, opcode: [0xc0 | wide(size)], immediate: {size: 1, value: count}});
	};
}

function bitTest(encoder: Encoder, extension: number): BitTest {
	return (target, bit) => {
		const {size} = target;
		if (typeof bit !== 'number')
			return encoder.emit({opcode: [0x0f, 0x83 | (extension << 3)], size, reg: bit, rm: target});
		return encoder.emit({opcode: [0x0f, 0xba], size, reg: extension, rm: target, immediate: {size: 1, value: bit}});
	};
}

function exchange(encoder: Encoder, opcode: readonly number[]): (target: Operand, source: Register) => void {
	return (target, source) => {
		requireSameSize(target, source);
		encoder.emit({opcode: withLowBit(opcode, wide(source.size)), size: source.size, reg: source, rm: target});
	};
}

function extend(encoder: Encoder, opcode: readonly number[]): (target: Register, source: Operand) => void {
	return (target, source) =>
		encoder.emit({opcode: withLowBit(opcode, wide(source.size)), size: target.size, reg: target, rm: source});
}

function swap(encoder: Encoder): DataInstructions['xchg'] {
	return (target, source) => {
		const {size} = source;
		requireSameSize(target, source);
		const other = isAccumulator(source) ? target : isAccumulator(target) ? source : undefined;
		if (size === 8 || target.kind === 'memory' || other?.kind !== 'register') {
			encoder.emit({opcode: [0x86 | wide(size)], size, reg: source, rm: target});
		} else encoder.emit({opcode: [0x90], size, opcodeRegister: other});
	};
}

function push(encoder: Encoder): DataInstructions['push'] {
	return (source) => {
		if (isOperand(source)) {
			const form = {size: source.size, isWideByDefault: true};
			if (source.kind === 'register') return encoder.emit({...form, opcode: [0x50], opcodeRegister: source});
			return encoder.emit({...form, opcode: [0xff], reg: 6, rm: source});
		}
		const size = encoder.bits;
		const immediate = {size: isSignedByte(source) ? 1 : immediateSize(size), value: source} as const;
		return encoder.emit({opcode: [isSignedByte(source) ? 0x6a : 0x68], size, isWideByDefault: true, immediate});
	};
}

function multiply(encoder: Encoder): DataInstructions['imul'] {
	return (target, source, factor) => {
		const form = {size: target.size, reg: target, rm: source};
		if (factor === undefined) return encoder.emit({...form, opcode: [0x0f, 0xaf]});
		const size = isSignedByte(factor) ? 1 : immediateSize(target.size);
		return encoder.emit({...form, opcode: [size === 1 ? 0x6b : 0x69], immediate: {size, value: factor}});
	};
}

function mapTable<K extends string, V, R>(table: Readonly<Record<K, V>>, make: (value: V) => R): Record<K, R> {
	const entries = (Object.entries(table) as [K, V][]).map(([name, value]) => [name, make(value)] as const);
	return Object.fromEntries(entries) as Record<K, R>;
}

function testBits(encoder: Encoder): DataInstructions['test'] {
	const testRegister = exchange(encoder, exchangeTable.test_);
	return (target, source) => {
		if (typeof source !== 'number') return testRegister(target, source);
		const {size} = target;
		const immediate = {size: immediateSize(size), value: source} as const;
		if (isAccumulator(target)) return encoder.emit({opcode: [0xa8 | wide(size)], size, immediate});
		return encoder.emit({opcode: [0xf6 | wide(size)], size, reg: 0, rm: target, immediate});
	};
}

export function dataInstructions(encoder: Encoder): DataInstructions {
	return {
		mov: move(encoder),
		lea: (target, source) => encoder.emit({opcode: [0x8d], size: target.size, reg: target, rm: source}),
		movsxd: (target, source) => encoder.emit({opcode: [0x63], size: target.size, reg: target, rm: source}),
		imul: multiply(encoder),
		test: testBits(encoder),
		xchg: swap(encoder),
		xadd: exchange(encoder, exchangeTable.xadd),
		cmpxchg: exchange(encoder, exchangeTable.cmpxchg),
		push: push(encoder),
		pop: (target) => {
			const form = {size: target.size, isWideByDefault: true};
			if (target.kind === 'register') encoder.emit({...form, opcode: [0x58], opcodeRegister: target});
			else encoder.emit({...form, opcode: [0x8f], reg: 0, rm: target});
		},
		not: unary(encoder, 'not'),
		neg: unary(encoder, 'neg'),
		mul: unary(encoder, 'mul'),
		div: unary(encoder, 'div'),
		idiv: unary(encoder, 'idiv'),
		inc: unary(encoder, 'inc'),
		dec: unary(encoder, 'dec'),
		...mapTable(extendTable, (opcode) => extend(encoder, opcode)),
		...mapTable(aluTable, (row) => arithmetic(encoder, row)),
		...mapTable(shiftTable, (extension) => shift(encoder, extension)),
		...mapTable(bitTable, (extension) => bitTest(encoder, extension)),
	};
}
