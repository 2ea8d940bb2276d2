import type {ErrorData} from '#support/errors';

/** End of a machine. */
export type VmEnd =
	/** The guest powered off, or hibernated, and the configuration lets that end the machine with status 0. */
	| {readonly kind: 'power-off'}
	| {readonly kind: 'hibernate'}
	/** A status the guest (debug-exit port) or the configuration (guest actions) chose. */
	| {readonly kind: 'exit'; readonly status: number}
	/** Triple fault of this vCPU, or a panic that the guest reports of itself; `status` as the configuration has it. */
	| {readonly kind: 'crash'; readonly reason: string; readonly vcpu?: number; readonly status: number}
	/** The guest's watchdog fired; `status` as the configuration has it. */
	| {readonly kind: 'watchdog'; readonly status: number}
	/** All processors had halted with interrupts off; `status` as the configuration has it. */
	| {readonly kind: 'halt'; readonly status: number}
	/** The guest has started again so often in a row without getting anywhere. */
	| {readonly kind: 'reset-loop'; readonly resets: number}
	/** {@link Vm.stop} was called. */
	| {readonly kind: 'stopped'}
	/**
	 * The machine could not go on, or not be stopped. `hanging` names parts of it that have not come back, and keep what they use: a thread among
	 * them has `process.exit` wait, too.
	 */
	| {readonly kind: 'error'; readonly error: ErrorData; readonly hanging?: readonly string[]};

/**
 * `created`: built, never started. `halted`: the guest ended and its action is `halt`, or it waits before it starts
 * again; {@link Vm.reset} starts it at once. `stopped`: over, everything released.
 */
export type VmState = 'created' | 'running' | 'paused' | 'halted' | 'stopped';
