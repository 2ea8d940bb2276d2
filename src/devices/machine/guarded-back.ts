import type {DeviceBack} from '#devices/device';
import {errorTable, isVmmError, type VmmError} from '#support/errors';
import type {Reactor, Watch} from '#support/reactor';

const deviceError = errorTable({
	DEVICE_FAILED: (c: {device: string; when: string; cause: string}) => ({
		message: `The device ${c.device} failed (${c.when}): ${c.cause}`,
		remedy: "Look for the cause in what it needs of the host, such as space on a disk, or in the device's own module",
	}),
});

/** Told of the first failure of a device. */
export type DeviceFailed = (error: VmmError) => void;

/** The failure of a device's own code, in which nothing was to be thrown. */
export function deviceFailure(device: string, when: string, cause: unknown): VmmError {
	if (isVmmError(cause, 'DEVICE_FAILED') || isVmmError(cause, 'DEVICE_HANGS')) return cause;
	const text = cause instanceof Error ? cause.message : String(cause);
	return deviceError('DEVICE_FAILED', {device, when, cause: text}, {cause});
}

/**
 * A back whose every call, and every handler that it gives to the reactor, may throw: that fails the device, and nothing
 * else on its thread. A device that has failed does nothing any more.
 */
export class GuardedBack implements DeviceBack {
	readonly #device: string;
	readonly #failed: DeviceFailed;
	readonly #watches = new Set<Watch>();
	readonly #back: DeviceBack | undefined;
	#hasFailed = false;

	/** @param make - makes the back; what it throws is the caller's */
	constructor(
		device: string,
		make: (reactor: Reactor) => DeviceBack | undefined,
		reactor: Reactor,
		failed: DeviceFailed,
	) {
		this.#device = device;
		this.#failed = failed;
		this.#back = make(this.#guard(reactor));
	}

	/** The device has something that runs here. */
	get exists(): boolean {
		return this.#back !== undefined;
	}

	start(): void {
		this.#try('start', () => this.#back?.start());
	}

	async stop(): Promise<void> {
		if (this.#hasFailed) return;
		try {
			await this.#back?.stop();
		} catch (cause) {
			this.#fail('stop', cause);
		}
	}

	notified(): void {
		this.#try('notified', () => this.#back?.notified());
	}

	queueReady(queue: number): boolean {
		return this.#try('queueReady', () => this.#back?.queueReady?.(queue)) === true;
	}

	feed(bytes: Uint8Array): number {
		return this.#try('feed', () => this.#back?.feed?.(bytes)) ?? bytes.length;
	}

	/** Of a failed one too: it may hold what belongs to the host. */
	dispose(): void {
		try {
			this.#back?.dispose();
		} catch (cause) {
			this.#fail('dispose', cause);
		}
	}

	#try<R>(when: string, action: () => R): R | undefined {
		if (this.#hasFailed) return undefined;
		try {
			return action();
		} catch (cause) {
			this.#fail(when, cause);
			return undefined;
		}
	}

	#fail(when: string, cause: unknown): void {
		if (this.#hasFailed) return;
		this.#hasFailed = true;
		// Readiness that nobody answers any more would keep the thread turning.
		for (const watch of this.#watches) watch.close();
		this.#failed(deviceFailure(this.#device, when, cause));
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
			after: (delayNs, expired) => reactor.after(delayNs, () => void this.#try('timer', expired)),
			defer: (action) => reactor.defer(() => void this.#try('deferred', action)),
		};
	}
}
