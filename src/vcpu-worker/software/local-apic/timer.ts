import type {ViewOf} from '#support/wire';
import {type ApicState, load} from './apic-state.ts';
import {Lvt, Register, TimerMode} from './registers.ts';

/** The time that a local APIC's timer goes by. */
export interface ApicClock {
	/** Nanoseconds, which never run backwards, and are above 0. */
	now(): bigint;
	/** The processor's time-stamp counter now. */
	counter(): bigint;
	/** Time at which the counter reaches a value, in nanoseconds, rounded up. */
	timeOf(counter: bigint): bigint;
}

/** The count goes down once a nanosecond where it is not divided, as KVM's does: 1 GHz. */
const busNs = 1n;

/** The local APIC's timer (SDM volume 3, 11.5.4), on its processor's thread. Nothing counts: each question looks at the clock. */
export class ApicTimer {
	readonly #state: ViewOf<typeof ApicState>;
	readonly #words: Int32Array;
	readonly #clock: ApicClock;

	constructor(state: ViewOf<typeof ApicState>, clock: ApicClock) {
		this.#state = state;
		this.#words = state.$atomic;
		this.#clock = clock;
	}

	get #lvt(): number {
		return load(this.#words, Register.LVT_TIMER);
	}

	get mode(): number {
		return (this.#lvt & Lvt.TIMER_MODE) >>> Lvt.TIMER_MODE_SHIFT;
	}

	/** Nanoseconds of one count (figure 11-10: bits 3, 1 and 0 are one number, whose highest value stands for 1). */
	get #countNs(): bigint {
		const divide = load(this.#words, Register.DIVIDE);
		const code = (divide & 3) | ((divide & 8) >> 1);
		return busNs << BigInt((code + 1) & 7);
	}

	get #periodNs(): bigint {
		return BigInt(load(this.#words, Register.INITIAL_COUNT) >>> 0) * this.#countNs;
	}

	/** Rest of the count, 0 where it stands. */
	get count(): number {
		const left = this.#state.timerEnd - this.#clock.now();
		if (this.#state.timerEnd === 0n || left <= 0n) return 0;
		const countNs = this.#countNs;
		return Number((left + countNs - 1n) / countNs);
	}

	/** Starts to count from the register's new value; from 0 it does not. In deadline mode nothing comes of it. */
	start(initial: number): void {
		if (this.mode === TimerMode.deadline) return;
		Atomics.store(this.#words, Register.INITIAL_COUNT, initial);
		this.#state.timerEnd = initial === 0 ? 0n : this.#clock.now() + this.#periodNs;
	}

	/** Goes on with registers that have been restored, from the rest of the count, or to a deadline. */
	resume(count: number, deadline: bigint): void {
		this.deadline = deadline;
		if (this.mode === TimerMode.deadline) return;
		const period = this.#periodNs;
		const left = BigInt(count >>> 0) * this.#countNs;
		const isOver = left === 0n && this.mode !== TimerMode.periodic;
		const next = left > 0n && left < period ? left : period;
		this.#state.timerEnd = isOver || period === 0n ? 0n : this.#clock.now() + next;
	}

	/** Counts in other steps from now on. */
	divide(value: number): void {
		const {count} = this;
		Atomics.store(this.#words, Register.DIVIDE, value);
		if (count > 0) this.#state.timerEnd = this.#clock.now() + BigInt(count) * this.#countNs;
	}

	/** Sets its entry of the local vector table. Between the deadline and counting nothing goes on (11.5.4.1). */
	configure(lvt: number): void {
		const wasDeadline = this.mode === TimerMode.deadline;
		Atomics.store(this.#words, Register.LVT_TIMER, lvt);
		if ((this.mode === TimerMode.deadline) === wasDeadline) return;
		Atomics.store(this.#words, Register.INITIAL_COUNT, 0);
		this.stop();
	}

	stop(): void {
		this.#state.timerEnd = 0n;
		this.#state.deadline = 0n;
	}

	/** IA32_TSC_DEADLINE: zero in other modes, which do not let it be written (11.5.4.1). */
	get deadline(): bigint {
		return this.#state.deadline;
	}

	set deadline(value: bigint) {
		if (this.mode === TimerMode.deadline) this.#state.deadline = value;
	}

	/** Time at which it will interrupt, in nanoseconds; undefined: not at all. */
	get next(): bigint | undefined {
		if ((this.#lvt & Lvt.MASKED) !== 0) return undefined;
		const {deadline, timerEnd} = this.#state;
		if (this.mode === TimerMode.deadline) return deadline === 0n ? undefined : this.#clock.timeOf(deadline);
		return timerEnd === 0n ? undefined : timerEnd;
	}

	/** Looks at the clock. @returns whether its time has come, perhaps more than once */
	expire(): boolean {
		const {deadline, timerEnd} = this.#state;
		if (this.mode === TimerMode.deadline) {
			if (deadline === 0n || this.#clock.counter() < deadline) return false;
			this.#state.deadline = 0n;
			return true;
		}
		if (timerEnd === 0n) return false;
		const late = this.#clock.now() - timerEnd;
		if (late < 0n) return false;
		const period = this.mode === TimerMode.periodic ? this.#periodNs : 0n;
		this.#state.timerEnd = period === 0n ? 0n : timerEnd + period * (late / period + 1n);
		return true;
	}
}
