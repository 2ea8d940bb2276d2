import type {DebugPlan, DebugStop} from './debug-plan.ts';
import {reportedBreakpoint} from './debug-registers.ts';

/** An exception that came to the debugger instead of the guest. */
export interface DebugException {
	/** 1 or 3: debug exception, breakpoint. */
	readonly vector: number;
	/** Linear address: of the INT3, or of the next instruction. */
	readonly pc: bigint;
	/** Guest-physical address of an INT3. */
	readonly physical: number | undefined;
	readonly dr6: bigint;
}

const breakpointVector = 3;

/** Tells whose an exception is: the debugger's, who stops or goes on stepping; or the guest's own, which it has to get. */
export function judgeException(plan: DebugPlan, exception: DebugException): DebugStop | 'go on' | "guest's" {
	const {vector, pc, physical, dr6} = exception;
	if (vector === breakpointVector) {
		// By physical address: the debugger's INT3 may be reached through any mapping of its page.
		const isOurs = physical !== undefined && plan.breakpoints.includes(physical);
		return isOurs ? {kind: 'breakpoint'} : "guest's";
	}
	const index = reportedBreakpoint(dr6, plan.hardware.length);
	if (index !== undefined) return {kind: 'hardware', index};
	const {step, stops} = plan;
	if (step === false && stops.length === 0) return "guest's";
	if (stops.includes(pc)) return {kind: 'breakpoint'};
	const isInRange = typeof step === 'object' && pc >= step.start && pc < step.end;
	return step === false || isInRange ? 'go on' : {kind: 'step'};
}
