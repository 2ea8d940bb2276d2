import type {Clock} from '../clock.ts';

/** A clock whose time passes when a test says so; Node's loop turns as ever. */
export class ManualClock implements Clock {
	#nowMs = 1000;
	readonly #timers = new Set<{readonly dueMs: number; readonly expired: () => void}>();

	now(): number {
		return this.#nowMs;
	}

	after(delayMs: number, expired: () => void) {
		const timer = {dueMs: this.#nowMs + delayMs, expired};
		this.#timers.add(timer);
		return {cancel: () => void this.#timers.delete(timer)};
	}

	defer(action: () => void): void {
		queueMicrotask(action);
	}

	began(): void {}

	/** Timers that have been set and have not expired. */
	get timers(): number {
		return this.#timers.size;
	}

	/** Lets time pass, timer by timer. */
	pass(ms: number): void {
		const end = this.#nowMs + ms;
		for (;;) {
			const [next] = [...this.#timers].filter(({dueMs}) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs);
			if (next === undefined) break;
			this.#timers.delete(next);
			this.#nowMs = Math.max(this.#nowMs, next.dueMs);
			next.expired();
		}
		this.#nowMs = end;
	}
}
