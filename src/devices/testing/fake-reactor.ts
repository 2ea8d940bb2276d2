import type {Reactor, Readiness, Timer, Watch} from '#support/reactor';

interface FakeWatch {
	readonly fd: number;
	readable: boolean;
	writable: boolean;
	readonly ready: (state: Readiness) => void;
}

/** A reactor that a test turns by hand. */
export class FakeReactor implements Reactor {
	/** Open registrations. */
	readonly watches = new Set<FakeWatch>();
	/** Armed timers. */
	readonly timers = new Set<{readonly delayNs: number; readonly expired: () => void}>();
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
		const timer = {delayNs, expired};
		this.timers.add(timer);
		return {cancel: () => void this.timers.delete(timer)};
	}

	defer(action: () => void): void {
		this.#deferred.push(action);
	}

	/** Reports every watched descriptor ready for what it is watched for, then runs deferred actions. */
	turn(): void {
		for (const {readable, writable, ready} of [...this.watches]) ready({readable, writable, failed: false});
		const deferred = this.#deferred;
		this.#deferred = [];
		for (const action of deferred) action();
	}

	/** Lets every armed timer expire. */
	expireTimers(): void {
		const timers = [...this.timers];
		this.timers.clear();
		for (const {expired} of timers) expired();
	}
}
