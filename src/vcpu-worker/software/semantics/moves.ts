import type {Int, Width} from '#support/wasm';
import {signExtended} from './flags.ts';
import type {Meaning, Operation} from './operation.ts';

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

/** RF and VM. */
const pushedAsZero = 0x3_0000;

/** RSP, the accumulator, and what CWD and its like fill. */
const stackPointer = 4;
const framePointer = 5;
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
	push: (op) => push(op, op.read('b')),
	pop: (op) => {
		const top = op.f.let(op.readRegister(stackPointer, 64) as Int<'i64'>);
		const value = op.f.let(op.loadMemory(top, op.width));
		op.writeRegister(stackPointer, 64, top.add(op.width / 8));
		// Last, so that POP RSP has the value.
		op.write('a', value);
	},
	leave: (op) => {
		const frame = op.f.let(op.readRegister(framePointer, 64) as Int<'i64'>);
		const value = op.f.let(op.loadMemory(frame, op.width));
		op.writeRegister(stackPointer, 64, frame.add(op.width / 8));
		op.writeRegister(framePointer, op.width, value);
	},
	/** ENTER with its depth: copies pointers of outer frames (SDM volume 2, ENTER). */
	enter: (op) => {
		const {f} = op;
		const bytes = op.width / 8;
		const depth = f.let(op.small().toI64U());
		const frame = f.let((op.readRegister(stackPointer, 64) as Int<'i64'>).sub(bytes));
		const outer = f.let(op.readRegister(framePointer, 64) as Int<'i64'>);
		const push64 = (at: Int<'i64'>, value: Int<'i64'>) =>
			op.storeMemory(at, op.width, op.type === 'i64' ? value : value.toI32());
		push64(frame, outer);
		const top = f.let(frame);
		const last = f.let(frame.sub(depth.mul(bytes)));
		f.if(depth.ne(0), () => {
			const from = f.let(outer);
			f.block((end) =>
				f.loop((again) => {
					f.set(top, top.sub(bytes));
					f.brIf(end, top.eq(last));
					f.set(from, from.sub(bytes));
					op.storeMemory(top, op.width, f.let(op.loadMemory(from, op.width)));
					f.br(again);
				}),
			);
			push64(last, frame);
		});
		const end = f.let(last.sub(op.immediate()));
		// What the frame ends at must be writable too.
		f.do(op.loadMemory(end, op.width, true));
		op.writeRegister(framePointer, op.width, op.type === 'i64' ? frame : frame.toI32());
		op.writeRegister(stackPointer, 64, end);
	},
	lahf: (op) => op.write('a', op.flags.bits().toI32().or(2)),
	sahf: (op) => {
		// OF is no flag of these 8 bits.
		const overflow = op.f.let(op.flags.overflow().toI64U());
		op.flags.setBits(op.f.let(op.read('a').toI64U().and(0xff).or(overflow.shl(11))));
	},
	clc: (op) => op.flags.changeCarry(op.flags.carry().and(0)),
	stc: (op) => op.flags.changeCarry(op.flags.carry().or(1)),
	cmc: (op) => op.flags.changeCarry(op.f.let(op.flags.carry().xor(1))),
	cld: (op) => op.setDirection(0),
	std: (op) => op.setDirection(1),
	/** RF and VM are pushed as 0 (SDM volume 2, PUSHF). */
	pushf: (op) => {
		const flags = op.flags.bits().or(op.controlFlags().toI64U().and(~pushedAsZero));
		push(op, op.type === 'i64' ? flags : flags.toI32());
	},
	popf: (op) => {
		const top = op.f.let(op.readRegister(stackPointer, 64) as Int<'i64'>);
		const value = op.f.let(op.loadMemory(top, op.width).toI64U());
		op.writeRegister(stackPointer, 64, top.add(op.width / 8));
		op.flags.setBits(value);
		const mask = op.f.let(op.poppableFlags().and(op.width === 16 ? 0xffff : -1));
		op.setControlFlags(op.controlFlags().and(mask.not()).or(value.toI32().and(mask)));
	},
} as const satisfies Record<string, Meaning>;

/** Stores first: where it faults, RSP is as it was. */
export function push(op: Operation, value: Int): void {
	const top = op.f.let((op.readRegister(stackPointer, 64) as Int<'i64'>).sub(op.width / 8));
	op.storeMemory(top, op.width, value);
	op.writeRegister(stackPointer, 64, top);
}
