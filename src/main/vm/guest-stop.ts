import type {DebugHit} from '#vcpu-worker/debug';
import type {VmEnd} from './vm-end.ts';

/** Reason for the guest's standing still. */
export type GuestStop =
	/** Somebody paused the machine. */
	| {readonly kind: 'paused'}
	/** At least one processor came to what the debugger asked for. */
	| {readonly kind: 'debug'; readonly hits: readonly DebugHit[]}
	/** The guest has crashed, or cannot go on; what follows that waits for the debugger to let it run. */
	| {readonly kind: 'crash'; readonly vcpu: number; readonly reason: string}
	/** The guest has ended, and its action keeps the machine. */
	| {readonly kind: 'ended'; readonly end: VmEnd};

/** Hears that the guest stands still. Called between the machine's operations: it must not wait for one. */
export type StopListener = (stop: GuestStop) => void;
