import {type Breakpoints, type DebugHit, type DebugPlan, noBreakpoints, type Step} from '#vcpu-worker/debug';
import {vmError} from './errors.ts';
import type {GuestStop, StopListener} from './guest-stop.ts';

/** A machine's side of the debugger that is attached to it, if one is. */
export class DebugControl {
	breakpoints = noBreakpoints;
	/** The processors that run, and how; undefined: all of them, on. Holds for one run. */
	#steps: ReadonlyMap<number, Step> | undefined;
	#listener: StopListener | undefined;
	/** Processors that came to what the debugger asked for and have not been reported yet. */
	#hits: DebugHit[] = [];
	/** Consequences of the guest's crash, held until the debugger lets them come. */
	#held: (() => Promise<void>) | undefined;

	get isAttached(): boolean {
		return this.#listener !== undefined;
	}

	/** @throws VM_DEBUGGED */
	attach(listener: StopListener): void {
		if (this.isAttached) throw vmError('VM_DEBUGGED', {});
		this.#listener = listener;
	}

	/** The debugger hears nothing more. */
	leave(): void {
		this.#listener = undefined;
	}

	/** Takes its breakpoints away. Only while no vCPU runs. */
	clear(): void {
		this.breakpoints = noBreakpoints;
		this.#hits = [];
	}

	/** Plans the next run. */
	prepare(breakpoints: Breakpoints, steps: ReadonlyMap<number, Step> | undefined): void {
		this.breakpoints = breakpoints;
		this.#steps = steps;
	}

	/** The run is over. */
	runEnded(): void {
		this.#steps = undefined;
	}

	/** Gives the plan of this processor's run; undefined: as without a debugger. */
	planOf(vcpu: number): DebugPlan | 'hold' | undefined {
		const step = this.#steps === undefined ? false : this.#steps.get(vcpu);
		if (step === undefined) return 'hold';
		const {software, hardware, stops} = this.breakpoints;
		if (step === false && software.length + hardware.length + stops.length === 0) return undefined;
		return {step, breakpoints: software, hardware, stops};
	}

	/** A processor has come to what the debugger asked for. */
	hit(hit: DebugHit): void {
		this.#hits.push(hit);
	}

	/** Tells the debugger why the guest stands still: a pause may have met a breakpoint. */
	report(stop: GuestStop): void {
		const hits = this.#hits.splice(0);
		this.#listener?.(hits.length > 0 && stop.kind === 'paused' ? {kind: 'debug', hits} : stop);
	}

	/** Reports a crash and holds back what follows it; false when there is no debugger to look at it. */
	hold(stop: GuestStop, follow: () => Promise<void>): boolean {
		if (!this.isAttached) return false;
		this.#held = follow;
		this.report(stop);
		return true;
	}

	/** Gives up what {@link hold} held back. */
	takeHeld(): (() => Promise<void>) | undefined {
		const held = this.#held;
		this.#held = undefined;
		return held;
	}
}
