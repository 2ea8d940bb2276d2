import type {Vm} from '#main/vm';

/** The machine that a debugger drives, or in tests something that stands still. */
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
