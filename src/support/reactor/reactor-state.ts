import {f64, i32, type ViewOf, wire} from '#support/wire';

/** Activity of a reactor's thread, for whoever looks: also while the thread hangs. Written by the thread itself. */
export const ReactorState = wire('reactor', {
	/** Kernel id of the thread; 0 before it runs. */
	tid: i32,
	/** 1 while it waits for events: it does not hang then. */
	waiting: i32,
	/** Host monotonic time at which the latest turn reached its wait, or the first began, in nanoseconds. */
	turnNs: f64,
	/** Most time to look for work before sleeping, in nanoseconds; may be changed at any time. */
	pollNs: f64,
	turns: f64,
	sleeps: f64,
	/** Turns in which looking found work. */
	polledWork: f64,
	/** Events of descriptors. */
	events: f64,
	/** Descriptors waited for, and timers that run. */
	descriptors: i32,
	timers: i32,
	/** Parts that are looked at: the machines whose devices the thread runs. */
	parts: i32,
	/** Failures of what devices had left under way when they went. */
	lateFailures: i32,
});

export type ReactorStateView = ViewOf<typeof ReactorState>;
