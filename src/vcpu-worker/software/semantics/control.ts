import {type Int, i32} from '#support/wasm';
import {push} from './moves.ts';
import type {Meaning, Operation} from './operation.ts';

const stackPointer = 4;
const counter = 1;

/** Jcc of each condition by number. */
const conditional = Object.fromEntries(
	Array.from({length: 16}, (_, number): [`jcc${number}`, Meaning] => [
		`jcc${number}`,
		(op) => op.f.if(op.flags.condition(number), () => op.jumpInPage()),
	]),
);

const toWide = (value: Int): Int<'i64'> => value.toI64U();

/** The counter, one less; the width is that of addresses. */
function countDown(op: Operation): Int {
	op.writeRegister(counter, op.width, op.readRegister(counter, op.width).sub(1));
	return op.readRegister(counter, op.width);
}

const looping =
	(alsoIf: (op: Operation) => Int<'i32'>): Meaning =>
	(op) => {
		const left = op.f.let(countDown(op));
		op.f.if(left.ne(0).and(alsoIf(op)), () => op.jumpInPage());
	};

/** Where code goes on; each ends a block, in which the next instruction follows where a condition does not hold. */
export const control = {
	...conditional,
	jmp: (op) => op.jumpInPage(),
	/** To the next instruction, where a block ends without a branch. */
	next: (op) => op.jumpInPage(),
	jmpTo: (op) => op.jumpTo(toWide(op.read('b'))),
	call: (op) => {
		push(op, op.nextAddress());
		op.jumpInPage();
	},
	callTo: (op) => {
		const target = op.f.let(toWide(op.read('b')));
		push(op, op.nextAddress());
		op.jumpTo(target);
	},
	/** The constant is what is taken off the stack besides. */
	ret: (op) => {
		const top = op.f.let(op.readRegister(stackPointer, 64) as Int<'i64'>);
		const target = op.f.let(toWide(op.loadMemory(top, op.width)));
		op.writeRegister(stackPointer, 64, top.add(op.width / 8).add(op.immediate()));
		op.jumpTo(target);
	},
	loop: looping(() => i32(1)),
	loope: looping((op) => op.flags.zero()),
	loopne: looping((op) => op.flags.zero().xor(1)),
	jcxz: (op) => op.f.if(op.readRegister(counter, op.width).isZero(), () => op.jumpInPage()),
} as const satisfies Record<string, Meaning>;
