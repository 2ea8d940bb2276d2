import {requireNoX87Exception} from './mmx.ts';
import type {Meaning} from './operation.ts';

/** What surrounds an operation of the x87, which TypeScript carries out. */
export const x87Meanings = {
	/** For instructions that do not wait for exceptions. */
	requireX87: (op) => op.requirePart('x87'),
	requireX87Ready: (op) => {
		op.requirePart('x87');
		requireNoX87Exception(op);
	},
	/** FWAIT. */
	requireWait: (op) => {
		op.requirePart('wait');
		requireNoX87Exception(op);
	},
	x87: (op) => {
		op.keepX87Pointers(false);
		op.runX87();
	},
	x87WithMemory: (op) => {
		op.keepX87Pointers(true);
		op.runX87();
	},
	x87Control: (op) => op.runX87(),
	/** CF, PF and ZF as bits of RFLAGS; the others become 0. */
	setStatusFlags: (op) => op.flags.setBits(op.f.let(op.read('b').toI64U())),
} as const satisfies Record<string, Meaning>;
