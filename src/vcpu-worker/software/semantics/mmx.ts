import {i32} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

const mathFault = 16;
/** Bits of the x87's status word (SDM volume 1, 8.1.3). */
const top = 0x3800;
const summary = 0x80;

/** Leaves with #MF where an exception waits that is not masked. */
export function requireNoX87Exception(op: Operation): void {
	op.f.if(op.x87Status().and(summary), () => op.raise(mathFault));
}

/** What MMX has beside steps of XMM registers (SDM volume 1, 9.5). */
export const mmxMeanings = {
	requireMmx: (op) => {
		op.requirePart('mmx');
		requireNoX87Exception(op);
	},
	/** All registers become valid, and the one that was written no number. */
	enterMmx: (op) => {
		op.setX87Status(op.x87Status().and(~top));
		op.setX87Tags(i32(0xff));
		op.writeElement('a', 16, i32(4), i32(0xffff));
	},
	leaveMmx: (op) => {
		op.setX87Status(op.x87Status().and(~top));
		op.setX87Tags(i32(0));
	},
} as const satisfies Record<string, Meaning>;
