import type {Vm} from '#main/vm';

/** What a debugger drives: a machine, or in tests something that stands still. */
export type Debuggee = Pick<
	Vm,
	| 'state'
	| 'processors'
	| 'memory'
	| 'debugSupport'
	| 'readRegisters'
	| 'writeRegisters'
	| 'attachDebugger'
	| 'detachDebugger'
	| 'runDebugged'
	| 'pause'
	| 'reset'
	| 'nmi'
	| 'stop'
	| 'ended'
>;
