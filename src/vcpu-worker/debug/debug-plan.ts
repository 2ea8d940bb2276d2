/** A hardware breakpoint: it stops before an instruction, or after an access to data. */
export interface HardwareBreakpoint {
	/** Linear address, a multiple of {@link length}. */
	readonly address: bigint;
	readonly kind: 'execute' | 'write' | 'access';
	/** Bytes watched; 1 for `execute`. */
	readonly length: 1 | 2 | 4 | 8;
}

/** Hardware breakpoints that a processor has. */
export const maxHardwareBreakpoints = 4;

/** Linear addresses from `start` up to, without, `end`. */
export interface AddressRange {
	readonly start: bigint;
	readonly end: bigint;
}

/** A debugger's plan for one processor's run. */
export interface DebugPlan {
	/** Stop after one instruction; with a range, after the first one that leaves it. */
	readonly step: boolean | AddressRange;
	/** Guest-physical addresses where the debugger has put an INT3. */
	readonly breakpoints: readonly number[];
	/** At most {@link maxHardwareBreakpoints}. */
	readonly hardware: readonly HardwareBreakpoint[];
	/** Linear addresses to stop at by stepping all the way, where the host knows no better: see {@link DebugSupport}. */
	readonly stops: readonly bigint[];
}

/** Reason for a processor's stop for the debugger. */
export type DebugStop =
	| {readonly kind: 'step'}
	/** Before the INT3 that the debugger put there, or at one of the plan's stops. */
	| {readonly kind: 'breakpoint'}
	/** At the hardware breakpoint with this index in the plan. */
	| {readonly kind: 'hardware'; readonly index: number};

/** Means that stop a guest on this host. Stepping always does. */
export interface DebugSupport {
	/** An INT3 in the guest's code comes to the debugger. */
	readonly software: boolean;
	/** Debug registers set for the guest do what they say. */
	readonly hardware: boolean;
}
