/** Lockstep: code by translations and by the interpreter, and whether they do the same. */
export {Lockstep, type LockstepOptions} from './lockstep.ts';
export type {Compared} from './twin-run.ts';
