import type {DeviceBack} from '#devices/device';
import type {VmmError} from '#support/errors';
import type {Reactor, Timer, Watch} from '#support/reactor';
import {type DeviceFailed, type DeviceFaults, deviceFailure} from './device-failure.ts';
import {OwnedBack} from './owned-back.ts';

/**
 * A back whose every call, and every handler that it gives to the reactor, may throw: that fails the device, and nothing
 * else on its thread. A device that has failed does nothing any more.
 */
export class GuardedBack implements DeviceBack {
	readonly #faults: DeviceFaults;
	readonly #failed: DeviceFailed;
	readonly #watches = new Set<Watch>();
	readonly #timers = new Set<Timer>();
	readonly #back: DeviceBack | undefined;
	#isOpen = false;
	#isDisposed = false;
	#released: Promise<void> | undefined;

	/** @param make - makes the back; what it throws is the caller's */
	constructor(
		faults: DeviceFaults,
		make: (reactor: Reactor) => DeviceBack | undefined,
		reactor: Reactor,
		failed: DeviceFailed,
	) {
		this.#faults = faults;
		this.#failed = failed;
		this.#back = make(this.#guard(reactor));
	}

	/** The device has something that runs here. */
	get exists(): boolean {
		return this.#back !== undefined;
	}

	/** The owned device that lives here; undefined where there is none, or where it has failed. */
	get owned(): OwnedBack | undefined {
		return this.#back instanceof OwnedBack && !this.#isDown() ? this.#back : undefined;
	}

	/** A call of {@link owned}; undefined where there is none, and when it fails. */
	call<R>(when: string, action: (owned: OwnedBack) => R): R | undefined {
		const {owned} = this;
		return owned && this.#try(when, () => action(owned));
	}

	/** Gives {@link owned} its state at power-on, and tells it of inputs that are high. */
	reset(): void {
		this.call('reset', (owned) => owned.reset());
		if (this.owned !== undefined) this.notified();
	}

	/** It has something to {@link open} that is not open yet. */
	get opens(): boolean {
		return !this.#isOpen && this.#back?.open !== undefined;
	}

	/** Rejects with what the back does, which is no failure of a device yet. */
	async open(): Promise<void> {
		await this.#back?.open?.();
		this.#isOpen = true;
	}

	start(): void {
		this.#try('start', () => this.#back?.start());
	}

	async stop(): Promise<void> {
		if (this.#isDown()) return;
		try {
			await this.#back?.stop();
		} catch (cause) {
			this.fail('stop', cause);
		}
	}

	notified(): void {
		this.#try(this.#back instanceof OwnedBack ? 'inputChanged' : 'notified', () => this.#back?.notified());
	}

	queueReady(queue: number): boolean {
		return this.#try('queueReady', () => this.#back?.queueReady?.(queue)) === true;
	}

	feed(bytes: Uint8Array): number {
		const taken = this.#try('feed', () => {
			const count = this.#back?.feed?.(bytes) ?? bytes.length;
			if (!Number.isInteger(count) || count < 0 || count > bytes.length)
				throw new RangeError(`it took ${String(count)} of ${bytes.length} bytes`);
			return count;
		});
		return taken ?? bytes.length;
	}

	/** What keeps it from its rest or its end, as far as it can say. */
	inFlight(): string | undefined {
		const told: unknown = this.#isDisposed
			? this.#toldAfterEnd()
			: this.#try('inFlight', () => this.#back?.inFlight?.());
		return typeof told === 'string' ? told : undefined;
	}

	/** Resolves when {@link dispose} has released all; undefined where it has already. */
	get released(): Promise<void> | undefined {
		return this.#released;
	}

	/** A disposed one that throws is not failed any more. */
	#toldAfterEnd(): unknown {
		try {
			return this.#back?.inFlight?.();
		} catch {
			return undefined;
		}
	}

	/** Of a failed one too: it may hold what belongs to the host. Only once. */
	dispose(): void {
		if (this.#isDisposed) return;
		this.#isDisposed = true;
		// Readiness that nobody answers any more would keep the thread turning.
		for (const watch of this.#watches) watch.close();
		this.#watches.clear();
		// The thread may go on, and would keep what they lead to.
		for (const timer of this.#timers) timer.cancel();
		this.#timers.clear();
		try {
			const released: unknown = this.#back?.dispose();
			if (released instanceof Promise) this.#released = released.catch((cause: unknown) => this.fail('dispose', cause));
		} catch (cause) {
			this.fail('dispose', cause);
		}
	}

	/**
	 * The device has failed: its back lets go of all that it has.
	 * @param isFirst - false where it had failed before, and that was told
	 */
	fail(when: string, cause: unknown, isFirst = !this.#faults.hasFailed): void {
		const error = this.#record(when, cause);
		this.dispose();
		if (isFirst) this.#failed(error);
	}

	/** Records a failure. Code that drives its lines may fail in turn: the first cause is told, and the others of this thread go on. */
	#record(when: string, cause: unknown): VmmError {
		try {
			return this.#faults.record(when, cause);
		} catch {
			return deviceFailure(this.#faults.name, when, cause);
		}
	}

	#try<R>(when: string, action: () => R): R | undefined {
		if (this.#isDown()) return undefined;
		try {
			const result = action();
			this.#returned(when, result);
			return result;
		} catch (cause) {
			this.fail(when, cause);
			return undefined;
		}
	}

	/** Waits for an asynchronous result, which may fail later. */
	#returned(when: string, result: unknown): void {
		if (result instanceof Promise) result.catch((cause: unknown) => this.fail(when, cause));
	}

	/** The device may have failed on another thread. */
	#isDown(): boolean {
		if (this.#faults.hasFailed) this.dispose();
		return this.#isDisposed;
	}

	#guard(reactor: Reactor): Reactor {
		return {
			watch: (fd, interest, ready) => {
				const watch = reactor.watch(fd, interest, (state) => void this.#try('ready', () => ready(state)));
				this.#watches.add(watch);
				const close = () => {
					this.#watches.delete(watch);
					watch.close();
				};
				return {interest: (readable, writable) => watch.interest(readable, writable), close};
			},
			after: (delayNs, expired) => {
				const timer = reactor.after(delayNs, () => {
					this.#timers.delete(timer);
					this.#try('timer', expired);
				});
				this.#timers.add(timer);
				const cancel = () => {
					this.#timers.delete(timer);
					timer.cancel();
				};
				return {cancel};
			},
			defer: (action) => reactor.defer(() => void this.#try('deferred', action)),
		};
	}
}
