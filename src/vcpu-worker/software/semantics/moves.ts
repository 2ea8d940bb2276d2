import type {Width} from '#support/wasm';
import {signExtended} from './flags.ts';
import type {Meaning} from './operation.ts';

const signExtending =
	(from: Width): Meaning =>
	(op) => {
		const value = op.readSigned('b', from);
		op.write('a', op.type === 'i64' ? value : value.toI32());
	};

const zeroExtending =
	(from: Width): Meaning =>
	(op) => {
		const value = op.read('b', from);
		op.write('a', op.type === 'i64' ? value.toI64U() : value.toI32());
	};

/** The accumulator, and what CWD and its like fill. */
const accumulator = 0;
const data = 2;

/** Moves between registers, and to and from memory. */
export const moves = {
	movzx8: zeroExtending(8),
	movzx16: zeroExtending(16),
	movsx8: signExtending(8),
	movsx16: signExtending(16),
	movsx32: signExtending(32),
	/** CWD, CDQ and CQO: the accumulator's sign. */
	cwd: (op) => {
		const sign = signExtended(op.readRegister(accumulator, op.width), op.width).shrS(63);
		op.writeRegister(data, op.width, op.type === 'i64' ? sign : sign.toI32());
	},
	/** CMOVcc writes whatever the condition: of 32 bits it clears the upper half. */
	cmov: (op) => op.write('a', op.condition().select(op.read('b'), op.read('a'))),
	setcc: (op) => op.write('a', op.condition()),
	lea: (op) => {
		const address = op.address();
		op.write('a', op.type === 'i64' ? address : address.toI32());
	},
	load: (op) => op.write('a', op.loadMemory(op.address(), op.width)),
	/** A load by an instruction that will write there: it faults as the write would. */
	loadForWrite: (op) => {
		const address = op.f.let(op.address());
		op.write('a', op.loadMemory(address, op.width, true));
		op.keepAddress(address);
	},
	store: (op) => op.storeMemory(op.address(), op.width, op.read('a')),
	/** The address alone, for the instruction's next steps. */
	keep: (op) => op.keepAddress(op.address()),
	/** So, where it lies within its segment, whose type allows what is to be done there. */
	keepToRead: (op) => op.keepAddress(op.inSegment(op.offset(), false)),
	keepToWrite: (op) => op.keepAddress(op.inSegment(op.offset(), true)),
	lahf: (op) => op.write('a', op.flags.bits().toI32().or(2)),
	sahf: (op) => {
		// OF is no flag of these 8 bits.
		const overflow = op.f.let(op.flags.overflow().toI64U());
		op.flags.setBits(op.f.let(op.read('a').toI64U().and(0xff).or(overflow.shl(11))));
	},
	/** In place of the first step of a block that memory does not have any more: it is looked up anew. */
	gone: (op) => op.lookUp(),
	clc: (op) => op.flags.changeCarry(op.flags.carry().and(0)),
	stc: (op) => op.flags.changeCarry(op.flags.carry().or(1)),
	cmc: (op) => op.flags.changeCarry(op.f.let(op.flags.carry().xor(1))),
	cld: (op) => op.setDirection(0),
	std: (op) => op.setDirection(1),
} as const satisfies Record<string, Meaning>;
