import {constant, type Int, i32} from '#support/wasm';
import {zeroExtended} from './flags.ts';
import type {Meaning, Operation} from './operation.ts';

/** Numbers of registers. */
const accumulator = 0;
const counter = 1;
const data = 2;
const base = 3;
/** Vector of a general protection exception. */
const generalProtection = 13;

/** Reads both operands once. */
function operands(op: Operation): readonly [Int, Int] {
	return [op.f.let(op.read('a')), op.f.let(op.read('b'))];
}

/** ADD and ADC: SDM volume 2. */
export function add(op: Operation, a: Int, b: Int, carryIn?: Int<'i32'>): Int {
	const sum = a.add(b);
	const result = op.f.let(carryIn === undefined ? sum : sum.add(inType(op, carryIn)));
	op.flags.setResult(result, op.width);
	op.flags.setCarries(a.and(b).or(a.or(b).and(result.not())), op.width);
	return result;
}

/** SUB, SBB and CMP. */
function subtract(op: Operation, a: Int, b: Int, borrowIn?: Int<'i32'>): Int {
	const difference = a.sub(b);
	const result = op.f.let(borrowIn === undefined ? difference : difference.sub(inType(op, borrowIn)));
	if (borrowIn === undefined) op.flags.setDifference(a, b, result, op.width);
	else {
		op.flags.setResult(result, op.width);
		op.flags.setCarries(a.not().and(b).or(a.xor(b).not().and(result)), op.width);
	}
	return result;
}

/** A number of 32 bits in the operation's type. */
const inType = ({type}: Operation, value: Int<'i32'>): Int => (type === 'i64' ? value.toI64U() : value);

const logic =
	(combine: (a: Int, b: Int) => Int, keeps: 'result' | 'nothing'): Meaning =>
	(op) => {
		const result = op.f.let(combine(op.read('a'), op.read('b')));
		op.flags.setLogic(result, op.width);
		if (keeps === 'result') op.write('a', result);
	};

/** INC and DEC: as ADD and SUB of 1, but CF stays. */
const step =
	(by: 1 | -1): Meaning =>
	(op) => {
		const a = op.f.let(op.read('a'));
		const result = op.f.let(a.add(by));
		op.flags.setResult(result, op.width);
		op.flags.setCarriesButCarryFlag(by === 1 ? a.and(result.not()) : a.not().and(result), op.width);
		op.write('a', result);
	};

/** ADCX and ADOX: a sum with a flag of carries of its own; no other flag changes. */
const addChain =
	(flag: 'carry' | 'overflow'): Meaning =>
	(op) => {
		const [a, b] = operands(op);
		const {f} = op;
		const carryIn = f.let(flag === 'carry' ? op.flags.carry() : op.flags.overflow());
		const result = f.let(a.add(b).add(inType(op, carryIn)));
		const carries = a.and(b).or(a.or(b).and(result.not()));
		const carry = carries.shrU(op.width - 1).toI32();
		if (flag === 'carry') op.flags.changeCarry(carry);
		else op.flags.changeOverflow(carry);
		op.write('a', result);
	};

/** Arithmetic and logic on `a` and `b`, with the result in `a` (SDM volume 2). */
export const integer = {
	add: (op) => op.write('a', add(op, ...operands(op))),
	or: logic((a, b) => a.or(b), 'result'),
	adc: (op) => op.write('a', add(op, ...operands(op), op.flags.carry())),
	adcx: addChain('carry'),
	adox: addChain('overflow'),
	sbb: (op) => op.write('a', subtract(op, ...operands(op), op.flags.carry())),
	and: logic((a, b) => a.and(b), 'result'),
	sub: (op) => op.write('a', subtract(op, ...operands(op))),
	xor: logic((a, b) => a.xor(b), 'result'),
	cmp: (op) => {
		subtract(op, ...operands(op));
	},
	test: logic((a, b) => a.and(b), 'nothing'),
	inc: step(1),
	dec: step(-1),
	neg: (op) => {
		const a = op.f.let(op.read('a'));
		const result = op.f.let(a.neg());
		op.flags.setDifference(constant(op.type, 0), a, result, op.width);
		op.write('a', result);
	},
	not: (op) => op.write('a', op.read('a').not()),
	/** XADD in registers: the sum is `a`, what was there `b`. */
	xadd: (op) => {
		const [a, b] = operands(op);
		const sum = add(op, a, b);
		op.write('b', a);
		op.write('a', sum);
	},
	/** CMPXCHG in registers: compares with the accumulator (SDM volume 2). */
	cmpxchg: (op) => {
		const a = op.f.let(op.read('a'));
		const expected = op.f.let(op.readRegister(accumulator, op.width));
		subtract(op, expected, a);
		op.f.if(
			expected.eq(a),
			() => op.write('a', op.read('b')),
			// The destination stays as it is, all 64 bits of it: as AMD's processors do.
			() => op.writeRegister(accumulator, op.width, a),
		);
	},
	/** CMPXCHG8B and CMPXCHG16B at the kept address: two words of the width, compared with D:A. ZF alone changes. */
	cmpxchgPair: (op) => {
		const {f, width} = op;
		const at = f.let(op.keptAddress());
		const bytes = width / 8;
		if (width === 64) f.if(at.toI32().and(15), () => op.raise(generalProtection));
		// Both before the first store: where a page is missing, nothing has changed yet.
		const low = f.let(op.loadMemory(at, width, true));
		const high = f.let(op.loadMemory(at.add(bytes), width, true));
		const differs = (register: number, word: Int) => op.readRegister(register, width).ne(word);
		const unequal = f.let(differs(accumulator, low).or(differs(data, high)));
		op.flags.changeZero(unequal.xor(1));
		f.if(
			unequal,
			() => {
				op.writeRegister(accumulator, width, low);
				op.writeRegister(data, width, high);
			},
			() => {
				op.storeMemory(at, width, op.readRegister(base, width));
				op.storeMemory(at.add(bytes), width, op.readRegister(counter, width));
			},
		);
	},
	xchg: (op) => {
		const [a, b] = operands(op);
		op.write('a', b);
		op.write('b', a);
	},
	mov: (op) => op.write('a', op.read('b')),
	/** Of 16 bits nothing is defined: AMD's processors clear them. */
	bswap: (op) => op.write('a', op.width === 16 ? i32(0) : byteSwapped(op, op.read('a'))),
	/** MOVBE between registers. */
	movbe: (op) => op.write('a', byteSwapped(op, op.read('b'))),
} as const satisfies Record<string, Meaning>;

/** The bytes in the other order; of 16 bits the two. */
export function byteSwapped(op: Operation, value: Int): Int {
	if (op.width === 64) {
		const halves = op.f.let((value as Int<'i64'>).rotl(32));
		const swapBytes = (x: Int<'i64'>) => x.shrU(8).and(0x00ff_00ff_00ff_00ffn).or(x.and(0x00ff_00ff_00ff_00ffn).shl(8));
		const pairs = op.f.let(halves.shrU(16).and(0x0000_ffff_0000_ffffn).or(halves.and(0x0000_ffff_0000_ffffn).shl(16)));
		return swapBytes(pairs);
	}
	const word = op.f.let(value as Int<'i32'>);
	if (op.width === 16) return zeroExtended(word.shrU(8).or(word.shl(8)), 16);
	return word
		.rotl(8)
		.and(0x00ff_00ff)
		.or(word.rotr(8).and(0xff00_ff00 | 0));
}
