import type {AddressRange, DebugStop, HardwareBreakpoint} from './debug-plan.ts';

/** Places where a debugger wants the guest to stop, whichever processor comes there. */
export interface Breakpoints {
	/** Guest-physical addresses of instructions, in RAM. */
	readonly software: readonly number[];
	readonly hardware: readonly HardwareBreakpoint[];
	/** Linear addresses of instructions that the guest is stepped to, which is slow; see `DebugSupport`. */
	readonly stops: readonly bigint[];
}

export const noBreakpoints: Breakpoints = {software: [], hardware: [], stops: []};

/** Length of a processor's run: on, by one instruction, or until it leaves a range. */
export type Step = boolean | AddressRange;

/** A processor that stopped for the debugger. */
export interface DebugHit {
	readonly vcpu: number;
	readonly stop: DebugStop;
}
