/** Lockstep: each block by the interpreter and by its translation, and whether they do the same. */
export {Lockstep, type LockstepCounters} from './lockstep.ts';
