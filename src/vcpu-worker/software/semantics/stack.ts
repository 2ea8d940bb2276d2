import type {Int} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const stackPointer = 4;
const framePointer = 5;
/** RF and VM. */
const pushedAsZero = 0x3_0000;
const interruptFlag = 0x200;
/** TF, IOPL and AC, by which the processor goes on otherwise. */
const modeFlags = 0x4_3100;

/** The stack as an operation uses it: offsets in its segment. */
interface Stack {
	/** What RSP or RBP says. */
	pointer(register: number): Int<'i64'>;
	setPointer(register: number, offset: Int<'i64'>): void;
	/** An offset some bytes further up, or down where they are negative. */
	moved(offset: Int<'i64'>, bytes: Int<'i64'> | number): Int<'i64'>;
	load(offset: Int<'i64'>, forWrite?: boolean): Int;
	store(offset: Int<'i64'>, value: Int): void;
	/** Faults where a branch to this offset would leave the code segment: before it has done anything. */
	requireInCode(offset: Int<'i64'>): void;
}

/** Of 64-bit code: all of the address space, with 64-bit pointers. */
const flat = (op: Operation): Stack => ({
	pointer: (register) => op.readRegister(register, 64) as Int<'i64'>,
	setPointer: (register, offset) => op.writeRegister(register, 64, offset),
	moved: (offset, bytes) => offset.add(bytes),
	load: (offset, forWrite) => op.loadMemory(offset, op.width, forWrite),
	store: (offset, value) => op.storeMemory(offset, op.width, value),
	requireInCode: () => {},
});

/** Of other code: within SS, whose size says how much of a pointer counts and moves (SDM volume 1, 6.2.3). */
function segmented(op: Operation): Stack {
	const mask = op.f.let(op.stackMask());
	return {
		pointer: (register) => (op.readRegister(register, 64) as Int<'i64'>).and(mask),
		setPointer: (register, offset) => {
			const rest = (op.readRegister(register, 64) as Int<'i64'>).and(mask.not());
			op.writeRegister(register, 64, rest.or(offset.and(mask)));
		},
		moved: (offset, bytes) => offset.add(bytes).and(mask),
		load: (offset, forWrite = false) => op.loadMemory(op.inSegment(offset, forWrite), op.width, forWrite),
		store: (offset, value) => {
			const kept = op.f.let(value);
			op.storeMemory(op.inSegment(offset, true), op.width, kept);
		},
		requireInCode: (offset) => op.requireInCode(offset),
	};
}

/** Stores first: where it faults, the pointer is as it was. */
function push(op: Operation, stack: Stack, value: Int): void {
	const top = op.f.let(stack.moved(stack.pointer(stackPointer), -op.width / 8));
	stack.store(top, value);
	stack.setPointer(stackPointer, top);
}

/** Takes a value off; what is done with it comes last, so that POP RSP has the value. */
function pop(op: Operation, stack: Stack): Int {
	const top = op.f.let(stack.pointer(stackPointer));
	const value = op.f.let(stack.load(top));
	stack.setPointer(stackPointer, stack.moved(top, op.width / 8));
	return value;
}

/** A number in the operation's type. */
const inType = (op: Operation, value: Int<'i64'>): Int => (op.type === 'i64' ? value : value.toI32());

/** ENTER with its depth: copies pointers of outer frames (SDM volume 2, ENTER). */
function enter(op: Operation, stack: Stack): void {
	const {f} = op;
	const bytes = op.width / 8;
	const depth = f.let(op.small().toI64U());
	const frame = f.let(stack.moved(stack.pointer(stackPointer), -bytes));
	const outer = f.let(stack.pointer(framePointer));
	stack.store(frame, op.readRegister(framePointer, op.width));
	const top = f.let(frame);
	const last = f.let(stack.moved(frame, depth.mul(-bytes)));
	f.if(depth.ne(0), () => {
		const from = f.let(outer);
		f.block((end) =>
			f.loop((again) => {
				f.set(top, stack.moved(top, -bytes));
				f.brIf(end, top.eq(last));
				f.set(from, stack.moved(from, -bytes));
				stack.store(top, f.let(stack.load(from)));
				f.br(again);
			}),
		);
		stack.store(last, inType(op, frame));
	});
	const end = f.let(stack.moved(last, op.immediate().neg()));
	// Where the frame ends must be writable too.
	f.do(stack.load(end, true));
	if (op.width === 64) op.writeRegister(framePointer, 64, frame);
	else op.writeRegister(framePointer, op.width, frame.toI32());
	stack.setPointer(stackPointer, end);
}

/** POPF, and what it may change of the flags. An interrupt that waits comes in before it, as before CLI, if it may: TypeScript looks. */
function popFlags(op: Operation, stack: Stack): void {
	op.leaveVirtualFlags();
	const closes = op.controlFlags().and(op.poppableFlags()).and(interruptFlag);
	op.system.leaveUnless(op.system.goesOn().or(closes.isZero()));
	const value = op.f.let(pop(op, stack).toI64U());
	op.flags.setBits(value);
	const mask = op.f.let(op.poppableFlags().and(op.width === 16 ? 0xffff : -1));
	const before = op.f.let(op.controlFlags());
	const after = op.f.let(before.and(mask.not()).or(value.toI32().and(mask)));
	op.setControlFlags(after);
	const turnedOn = after.and(before.not()).and(interruptFlag);
	op.f.if(before.xor(after).and(modeFlags).or(turnedOn), () => op.leaveBehind());
}

/** Instructions of the stack (SDM volume 2), on a stack of either kind. */
const operations = {
	push: (op, stack) => push(op, stack, op.read('b')),
	pop: (op, stack) => op.write('a', pop(op, stack)),
	/** The value on top, and the pointer behind it, as steps of a POP to memory. */
	peek: (op, stack) => op.write('a', stack.load(stack.pointer(stackPointer))),
	drop: (op, stack) => stack.setPointer(stackPointer, stack.moved(stack.pointer(stackPointer), op.width / 8)),
	leave: (op, stack) => {
		const frame = op.f.let(stack.pointer(framePointer));
		const value = op.f.let(stack.load(frame));
		stack.setPointer(stackPointer, stack.moved(frame, op.width / 8));
		op.writeRegister(framePointer, op.width, value);
	},
	enter,
	/** RF and VM are pushed as 0 (SDM volume 2, PUSHF). */
	pushf: (op, stack) => {
		op.leaveVirtualFlags();
		const flags = op.flags.bits().or(op.controlFlags().toI64U().and(~pushedAsZero));
		push(op, stack, inType(op, flags));
	},
	popf: popFlags,
	/** PUSHA stores the pointer as it was before. */
	pusha: (op, stack) => {
		const top = op.f.let(stack.pointer(stackPointer));
		for (let register = 0; register < 8; register++)
			stack.store(stack.moved(top, (-op.width / 8) * (register + 1)), op.readRegister(register, op.width));
		stack.setPointer(stackPointer, stack.moved(top, -op.width));
	},
	/** POPA leaves out the pointer that PUSHA has stored. */
	popa: (op, stack) => {
		const {f} = op;
		const top = f.let(stack.pointer(stackPointer));
		const values = Array.from({length: 8}, (_, index) => f.let(stack.load(stack.moved(top, (op.width / 8) * index))));
		for (const [index, value] of values.entries()) {
			const register = 7 - index;
			if (register !== stackPointer) op.writeRegister(register, op.width, value);
		}
		stack.setPointer(stackPointer, stack.moved(top, op.width));
	},
	call: (op, stack) => {
		stack.requireInCode(op.targetInPage().and(op.width === 16 ? 0xffff : 0xffff_ffffn));
		push(op, stack, inType(op, op.nextAddress()));
		if (op.width === 16) op.jumpTo(op.targetInPage().and(0xffff));
		else op.jumpInPage();
	},
	callTo: (op, stack) => {
		const target = op.f.let(op.read('b').toI64U());
		stack.requireInCode(target);
		push(op, stack, inType(op, op.nextAddress()));
		op.jumpTo(target);
	},
	/** The constant is what is taken off the stack besides. */
	ret: (op, stack) => {
		const top = op.f.let(stack.pointer(stackPointer));
		const target = op.f.let(stack.load(top).toI64U());
		stack.requireInCode(target);
		stack.setPointer(stackPointer, stack.moved(top, op.immediate().add(op.width / 8)));
		op.jumpTo(target);
	},
} as const satisfies Record<string, (op: Operation, stack: Stack) => void>;

/** Operations of the stack that end a block. */
export const stackJumps = new Set(['call', 'callTo', 'ret']);

/** Instructions of the stack: in 64-bit code, and in other code with `Segmented` behind the name. */
export const stackMeanings: Readonly<Record<string, Meaning>> = Object.fromEntries(
	Object.entries(operations).flatMap(([name, meaning]): [string, Meaning][] => [
		[name, (op) => meaning(op, flat(op))],
		[`${name}Segmented`, (op) => meaning(op, segmented(op))],
	]),
);
