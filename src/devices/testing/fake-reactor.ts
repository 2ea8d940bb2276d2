import type {Polled, Readiness, RunningReactor, Timer, Watch} from '#support/reactor';

interface FakeWatch {
	readonly fd: number;
	readable: boolean;
	writable: boolean;
	readonly ready: (state: Readiness) => void;
}

/** A reactor that a test turns by hand. */
export class FakeReactor implements RunningReactor {
	/** Open registrations. */
	readonly watches = new Set<FakeWatch>();
	/** Armed timers. */
	readonly timers = new Set<{readonly dueNs: number; readonly expired: () => void}>();
	isClosed = false;
	readonly #parts = new Set<Polled>();
	readonly #closed = Promise.withResolvers<void>();
	#nowNs = 0;
	#deferred: (() => void)[] = [];

	watch(
		fd: number,
		interest: {readonly readable: boolean; readonly writable: boolean},
		ready: (state: Readiness) => void,
	): Watch {
		const entry = {fd, ...interest, ready};
		this.watches.add(entry);
		return {
			interest: (readable, writable) => {
				Object.assign(entry, {readable, writable});
			},
			close: () => void this.watches.delete(entry),
		};
	}

	after(delayNs: number, expired: () => void): Timer {
		const timer = {dueNs: this.#nowNs + delayNs, expired};
		this.timers.add(timer);
		return {cancel: () => void this.timers.delete(timer)};
	}

	defer(action: () => void): void {
		this.#deferred.push(action);
	}

	/** Node's loop has its turns whenever a test waits. */
	turnNode(): void {}

	/** Number of parts it looks at. */
	get parts(): number {
		return this.#parts.size;
	}

	look(part: Polled): {close(): void} {
		this.#parts.add(part);
		return {close: () => void this.#parts.delete(part)};
	}

	/** Resolves when it is closed: the turns are the test's. */
	run(): Promise<void> {
		return this.#closed.promise;
	}

	close(): void {
		this.isClosed = true;
		this.#closed.resolve();
	}

	/**
	 * Serves what is found by looking, runs deferred actions, reports every watched descriptor ready for what it is watched for, and lets `elapsedNs` pass
	 * for the timers.
	 */
	turn(elapsedNs = 1e6): void {
		for (const part of [...this.#parts]) part.poll(() => false);
		const deferred = this.#deferred;
		this.#deferred = [];
		for (const action of deferred) action();
		for (const {readable, writable, ready} of [...this.watches]) ready({readable, writable, failed: false});
		this.#nowNs += elapsedNs;
		for (const timer of [...this.timers].filter(({dueNs}) => dueNs <= this.#nowNs)) {
			if (this.timers.delete(timer)) timer.expired();
		}
	}
}
