import {close, Epoll, EpollSet, readableInPool} from '#support/ffi';
import type {Readiness, Watch} from '#support/reactor';
import type {Clock} from '../clock.ts';

/** How long a thread of the pool waits at most: as long, too, as a test may be kept that is through. */
const waitMs = 50;

/** A clock whose time passes when a test says so; Node's loop turns as ever, and descriptors are waited for beside it. */
export class ManualClock implements Clock {
	/** How often Node's loop was to have a turn. */
	begun = 0;
	#nowMs = 1000;
	readonly #watched = new Map<number, (state: Readiness) => void>();
	#set: EpollSet | undefined;
	#token = 0;
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

	began(): void {
		this.begun++;
	}

	watch(fd: number, first: {readable: boolean; writable: boolean}, ready: (state: Readiness) => void): Watch {
		const set = this.#set ?? this.#waiting();
		const token = this.#token++;
		const control = (operation: number, readable: boolean, writable: boolean) => {
			const result = set.control(operation, fd, (readable ? Epoll.IN : 0) | (writable ? Epoll.OUT : 0), token);
			if (result < 0) throw new Error(`descriptor ${fd} cannot be waited for: ${result}`);
		};
		control(Epoll.ADD, first.readable, first.writable);
		this.#watched.set(token, ready);
		return {
			interest: (readable, writable) => control(Epoll.MOD, readable, writable),
			close: () => {
				if (this.#watched.delete(token)) control(Epoll.DEL, false, false);
			},
		};
	}

	/** Begins to wait, for as long as anything is watched. */
	#waiting(): EpollSet {
		const set = new EpollSet();
		this.#set = set;
		void (async () => {
			do {
				await readableInPool(set.fd, waitMs);
				const count = set.wait(0);
				const found = Array.from(
					{length: Math.max(0, count)},
					(_, i) => [set.readyToken(i), set.readyEvents(i)] as const,
				);
				for (const [token, events] of found)
					this.#watched.get(token)?.({
						readable: (events & Epoll.IN) !== 0,
						writable: (events & Epoll.OUT) !== 0,
						failed: (events & (Epoll.ERR | Epoll.HUP)) !== 0,
					});
			} while (this.#watched.size > 0);
			this.#set = undefined;
			close(set.fd);
		})();
		return set;
	}

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
