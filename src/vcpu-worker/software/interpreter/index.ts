/** The interpreter: code generated from the meanings of steps, and what runs it. */
export {buildInterpreter, memoryLimits} from './build-interpreter.ts';
export {allocateCoreMemory, Core, type SlowAccess} from './core.ts';
export {AccessKind} from './guest-access.ts';
