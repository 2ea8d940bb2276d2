import type {AddressRange, DebugStop, HardwareBreakpoint} from '#vcpu-worker/debug';
import type {VmEnd} from './vm-end.ts';

/** Where a debugger wants the guest to stop, whichever processor comes there. */
export interface Breakpoints {
	/** Guest-physical addresses of instructions, in RAM. */
	readonly software: readonly number[];
	readonly hardware: readonly HardwareBreakpoint[];
	/** Linear addresses of instructions that the guest is stepped to, which is slow; see `DebugSupport`. */
	readonly stops: readonly bigint[];
}

export const noBreakpoints: Breakpoints = {software: [], hardware: [], stops: []};

/** How far a processor may run: on, by one instruction, or until it leaves a range. */
export type Step = boolean | AddressRange;

/** A processor that stopped for the debugger. */
export interface DebugHit {
	readonly vcpu: number;
	readonly stop: DebugStop;
}

/** Why the guest stands still. */
export type GuestStop =
	/** Somebody paused the machine. */
	| {readonly kind: 'paused'}
	/** At least one processor came to what the debugger asked for. */
	| {readonly kind: 'debug'; readonly hits: readonly DebugHit[]}
	/** The guest has crashed, or cannot go on; what follows that waits for the debugger to let it run. */
	| {readonly kind: 'crash'; readonly vcpu: number; readonly reason: string}
	/** The guest has ended, and its action keeps the machine. */
	| {readonly kind: 'ended'; readonly end: VmEnd};

/** Who is told when the guest stands still. Called between the machine's operations: it must not wait for one. */
export type StopListener = (stop: GuestStop) => void;
