import type {Timer} from './reactor.ts';

interface PendingTimer {
	readonly dueNs: number;
	/** Of two that are due at the same time the one that was armed first comes first. */
	readonly order: number;
	readonly expired: () => void;
	/** Its index in the heap; -1 once it is not. */
	place: number;
}

const isBefore = (a: PendingTimer, b: PendingTimer): boolean =>
	a.dueNs < b.dueNs || (a.dueNs === b.dueNs && a.order < b.order);

/** Timers by the time at which they are due, as a binary heap: any number of machines' cost no more than their logarithm. */
export class TimerHeap {
	readonly #heap: PendingTimer[] = [];
	#armed = 0;

	get size(): number {
		return this.#heap.length;
	}

	/** Time when the next one is due; never, where there is none. */
	get nextNs(): number {
		return this.#heap[0]?.dueNs ?? Number.POSITIVE_INFINITY;
	}

	arm(dueNs: number, expired: () => void): Timer {
		const timer = {dueNs, order: this.#armed++, expired, place: this.#heap.length};
		this.#heap.push(timer);
		this.#up(timer);
		return {cancel: () => this.#remove(timer)};
	}

	/** Takes out the first of those that are due, and returns its action. */
	takeDue(nowNs: number): (() => void) | undefined {
		const first = this.#heap[0];
		if (first === undefined || first.dueNs > nowNs) return undefined;
		this.#remove(first);
		return first.expired;
	}

	#remove(timer: PendingTimer): void {
		const {place} = timer;
		if (place < 0) return;
		timer.place = -1;
		const last = this.#heap.pop() as PendingTimer;
		if (last === timer) return;
		this.#put(last, place);
		this.#up(last);
		this.#down(last);
	}

	#put(timer: PendingTimer, place: number): void {
		this.#heap[place] = timer;
		timer.place = place;
	}

	#up(timer: PendingTimer): void {
		while (timer.place > 0) {
			const parent = this.#heap[(timer.place - 1) >> 1] as PendingTimer;
			if (!isBefore(timer, parent)) return;
			this.#swap(timer, parent);
		}
	}

	#down(timer: PendingTimer): void {
		for (;;) {
			const [left, right] = [this.#heap[2 * timer.place + 1], this.#heap[2 * timer.place + 2]];
			if (left === undefined) return;
			const child = right !== undefined && isBefore(right, left) ? right : left;
			if (!isBefore(child, timer)) return;
			this.#swap(child, timer);
		}
	}

	#swap(a: PendingTimer, b: PendingTimer): void {
		const {place} = a;
		this.#put(a, b.place);
		this.#put(b, place);
	}
}
