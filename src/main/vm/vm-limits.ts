/** Limits of a machine's waiting, in milliseconds. */
export interface VmLimits {
	/** For processors and devices to come to rest: writing to a slow disk takes its time, a bug does not end. */
	readonly restMs: number;
	/** For each step of its end: what is slower hangs. */
	readonly endStepMs: number;
	/** Before the first of several resets in a row that does not come at once; each one after it waits twice as long. */
	readonly resetPauseMs: number;
	/** Between two looks whether its processors have halted for good. */
	readonly haltLookMs: number;
	/** For a guest to let go of a device that it is asked for: Linux waits 5 s, and then for its driver. */
	readonly letGoMs: number;
}

export const vmLimits: VmLimits = {
	restMs: 30_000,
	endStepMs: 10_000,
	resetPauseMs: 250,
	haltLookMs: 1000,
	letGoMs: 60_000,
};
