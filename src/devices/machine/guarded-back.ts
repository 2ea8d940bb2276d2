import type {BackParts, DeviceBack, DeviceCommand} from '#devices/device';
import type {VmmError} from '#support/errors';
import type {Reactor, Timer, Watch} from '#support/reactor';
import {noProgram, type ProgramCalls} from '#support/rpc';
import {DeviceCode} from './device-code.ts';
import {type DeviceFailed, type DeviceFaults, deviceFailure} from './device-failure.ts';
import {OwnedBack} from './owned-back.ts';
import {TrackedPromises} from './tracked-promises.ts';

/** What a back is guarded with. */
export interface GuardedParts {
	readonly reactor: Reactor;
	readonly failed: DeviceFailed;
	/** Told of what fails when the back has been disposed of. */
	readonly late: DeviceFailed;
	/** The machine's; without it there is no program. */
	readonly program: ProgramCalls | undefined;
}

/**
 * A back whose every call, and every handler that it gives to the reactor, may throw: that fails the device, and nothing
 * else on its thread. A device that has failed does nothing any more. What one that has gone had under way touches nothing of
 * its machine, where another device may be in its place.
 */
export class GuardedBack implements DeviceBack {
	readonly #faults: DeviceFaults;
	readonly #failed: DeviceFailed;
	readonly #late: DeviceFailed;
	readonly #program: ReturnType<ProgramCalls['caller']> | undefined;
	readonly #code = new DeviceCode((when, cause) => this.#strayed(when, cause));
	readonly #tracked = new TrackedPromises((what, cause) => this.#strayed(what, cause));
	readonly #watches = new Set<Watch>();
	readonly #timers = new Set<Timer>();
	readonly #back: DeviceBack | undefined;
	#isOpen = false;
	#isDisposed = false;
	#released: Promise<void> | undefined;

	/** @param make - makes the back; what it throws is the caller's */
	constructor(
		faults: DeviceFaults,
		make: (own: Pick<BackParts, 'reactor' | 'track' | 'drained' | 'program'>) => DeviceBack | undefined,
		{reactor, failed, late, program}: GuardedParts,
	) {
		this.#faults = faults;
		this.#failed = failed;
		this.#late = late;
		this.#program = program?.caller();
		const own = {
			reactor: this.#guard(reactor),
			track: (promise: Promise<unknown>, what?: string) => this.#tracked.add(promise, what),
			drained: () => this.#tracked.drained(),
			program: this.#program ?? noProgram,
		};
		this.#back = this.run(() => make(own));
	}

	/** The device has something that runs here. */
	get exists(): boolean {
		return this.#back !== undefined;
	}

	/** The owned device that lives here; undefined where there is none, or where it has failed. */
	get owned(): OwnedBack | undefined {
		return this.#back instanceof OwnedBack && !this.#isDown() ? this.#back : undefined;
	}

	/** Runs a call of the device's code, whose failure is the caller's, but for what it leaves under way. */
	run<R>(action: () => R): R {
		return this.#code.run(action);
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
		await this.run(() => this.#back?.open?.());
		this.#isOpen = true;
	}

	/** Rejects with what the back does, which goes on as before. Nothing for one that has failed. */
	async reconfigure(config: unknown): Promise<void> {
		if (!this.#isDown()) await this.run(() => this.#back?.reconfigure?.(config));
	}

	start(): void {
		this.#try('start', () => this.#back?.start());
	}

	async stop(isReset: boolean): Promise<void> {
		if (this.#isDown()) return;
		try {
			await this.run(() => this.#back?.stop(isReset));
			await this.#tracked.drained();
		} catch (cause) {
			this.#strayed('stop', cause);
		}
	}

	notified(): void {
		this.#try(this.#back instanceof OwnedBack ? 'inputChanged' : 'notified', () => this.#back?.notified());
	}

	queueReady(queue: number): boolean {
		return this.#try('queueReady', () => this.#back?.queueReady?.(queue)) === true;
	}

	control(command: DeviceCommand): void {
		this.#try('control', () => this.#back?.control?.(command));
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
		const all = [told, this.#tracked.inFlight].filter((text) => typeof text === 'string');
		return all.length === 0 ? undefined : all.join(', ');
	}

	/** Resolves when {@link dispose} has released all; undefined where it has already. */
	get released(): Promise<void> | undefined {
		return this.#released;
	}

	/** A disposed one that throws is not failed any more. */
	#toldAfterEnd(): unknown {
		try {
			return this.run(() => this.#back?.inFlight?.());
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
		this.#program?.close();
		try {
			const released: unknown = this.run(() => this.#back?.dispose());
			if (released instanceof Promise)
				this.#released = released.catch((cause: unknown) => this.#strayed('dispose', cause));
		} catch (cause) {
			this.#fail('dispose', cause, !this.#faults.hasFailed);
		}
		// What is under way may last, and would keep the machine in memory.
		this.#code.strayed = toldLate(this.#faults.name, this.#late);
	}

	/**
	 * The device has failed: its back lets go of all that it has. Nothing where it has already.
	 * @param isFirst - false where it had failed before, and that was told
	 */
	fail(when: string, cause: unknown, isFirst = !this.#faults.hasFailed): void {
		if (!this.#isDisposed) this.#fail(when, cause, isFirst);
	}

	#fail(when: string, cause: unknown, isFirst: boolean): void {
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

	/** Code that nobody waits for has failed. */
	#strayed(when: string, cause: unknown): void {
		if (this.#isDisposed) this.#code.strayed(when, cause);
		else this.fail(when, cause);
	}

	#try<R>(when: string, action: () => R): R | undefined {
		if (this.#isDown()) return undefined;
		try {
			const result = this.run(action);
			this.#returned(when, result);
			return result;
		} catch (cause) {
			this.fail(when, cause);
			return undefined;
		}
	}

	/** Waits for an asynchronous result, which may fail later. */
	#returned(when: string, result: unknown): void {
		if (result instanceof Promise) result.catch((cause: unknown) => this.#strayed(when, cause));
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
			turnNode: () => reactor.turnNode(),
			defer: (action) => reactor.defer(() => void this.#try('deferred', action)),
		};
	}
}

/** Away from the machine, of which it keeps nothing. */
const toldLate =
	(name: string, late: DeviceFailed) =>
	(when: string, cause: unknown): void =>
		late(deviceFailure(name, when, cause));
