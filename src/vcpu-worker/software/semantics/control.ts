import {type Int, i32} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const counter = 1;

/** A jump to the code's first 64 KiB (SDM volume 2, JMP: operands of 16 bits). */
const narrowJump: Meaning = (op) => op.jumpTo(op.targetInPage().and(0xffff));
const wideJump: Meaning = (op) => op.jumpInPage();

/** A meaning that jumps, and with `Narrow` behind the name the same for operands of 16 bits. */
const both = (name: string, meaning: (jump: Meaning) => Meaning): [string, Meaning][] => [
	[name, meaning(wideJump)],
	[`${name}Narrow`, meaning(narrowJump)],
];

/** Jcc of a condition by number. */
const conditional = (number: number) =>
	both(`jcc${number}`, (jump) => (op) => op.f.if(op.flags.condition(number), () => jump(op)));

/** The counter, one less; the width is that of addresses. */
function countDown(op: Operation): Int {
	op.writeRegister(counter, op.width, op.readRegister(counter, op.width).sub(1));
	return op.readRegister(counter, op.width);
}

const looping =
	(alsoIf: (op: Operation) => Int<'i32'>) =>
	(jump: Meaning): Meaning =>
	(op) => {
		const left = op.f.let(countDown(op));
		op.f.if(left.ne(0).and(alsoIf(op)), () => jump(op));
	};

/** Steps that decide where code goes on; each ends a block, in which the next instruction follows where a condition does not hold. */
export const control: Readonly<Record<string, Meaning>> = {
	...Object.fromEntries([
		...Array.from({length: 16}, (_, number) => conditional(number)).flat(),
		...both('jmp', (jump) => jump),
		...both(
			'loop',
			looping(() => i32(1)),
		),
		...both(
			'loope',
			looping((op) => op.flags.zero()),
		),
		...both(
			'loopne',
			looping((op) => op.flags.zero().xor(1)),
		),
		...both('jcxz', (jump) => (op) => op.f.if(op.readRegister(counter, op.width).isZero(), () => jump(op))),
	]),
	/** To the next instruction, where a block ends without a branch. */
	next: wideJump,
	/** To the block that has come instead of one that is gone, and which others are still linked to. */
	forward: wideJump,
	jmpTo: (op) => op.jumpTo(op.read('b').toI64U()),
};
