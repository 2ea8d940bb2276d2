export {
	type AddressRange,
	type DebugPlan,
	type DebugStop,
	type DebugSupport,
	type HardwareBreakpoint,
	maxHardwareBreakpoints,
} from './debug-plan.ts';
export {debugRegisters, guestStatus, reportedBreakpoint} from './debug-registers.ts';
export {type Breakpoints, type DebugHit, noBreakpoints, type Step} from './debugged-run.ts';
export {type DebugException, judgeException} from './judge-exit.ts';
