import {errorTable, isVmmError, type VmmError} from '#support/errors';
import type {ViewOf} from '#support/wire';
import {DeviceHeader} from './device-header.ts';

/** Choice of what a device ends whose code fails: its machine, or itself alone. */
export type DeviceFailurePolicy = 'machine' | 'device';

const deviceError = errorTable({
	DEVICE_FAILED: (c: {device: string; when: string; cause: string}) => ({
		message: `The device ${c.device} failed (${c.when}): ${c.cause}`,
		remedy: "Look for the cause in what it needs of the host, such as space on a disk, or in the device's own module",
	}),
	DEVICE_OPEN_TIMEOUT: (c: {devices: readonly LateDevice[]}) => ({
		message: `These devices do not get what they need of the host: ${namesOf(c.devices)}`,
		remedy: 'Look for a file system or a peer that does not answer',
	}),
	DEVICE_STOP_TIMEOUT: (c: {devices: readonly LateDevice[]}) => ({
		message: `These devices do not come to rest: ${namesOf(c.devices)}`,
		remedy:
			"The stop of a device's back resolves when nothing is in flight: look in its module, or for a host disk or peer that does not answer",
	}),
});

const namesOf = (devices: readonly LateDevice[]): string =>
	devices.map(({name, inFlight}) => name + (inFlight === undefined ? '' : ` (${inFlight})`)).join(', ');

/** A device whose back does not come to rest, and what it says is in flight. */
export interface LateDevice {
	readonly name: string;
	readonly inFlight: string | undefined;
}

/** Told of the first failure of a device that ends the machine. */
export type DeviceFailed = (error: VmmError) => void;

/** The failure of devices whose backs do not open what they need. */
export const openTimeout = (devices: readonly LateDevice[]): VmmError => deviceError('DEVICE_OPEN_TIMEOUT', {devices});

/** The failure of devices that do not come to rest. */
export const stopTimeout = (devices: readonly LateDevice[]): VmmError => deviceError('DEVICE_STOP_TIMEOUT', {devices});

/** The failure of a device's own code, in which nothing was to be thrown. */
export function deviceFailure(device: string, when: string, cause: unknown): VmmError {
	if (isDeviceFailure(cause)) return cause;
	return deviceError('DEVICE_FAILED', {device, when, cause: textOf(cause)}, {cause});
}

/** A device may throw anything, also what has no text. */
export function textOf(cause: unknown): string {
	try {
		return cause instanceof Error ? cause.message : String(cause);
	} catch {
		return 'it threw what has no text';
	}
}

const isDeviceFailure = (cause: unknown): cause is VmmError =>
	isVmmError(cause, 'DEVICE_FAILED') || isVmmError(cause, 'DEVICE_HANGS') || isVmmError(cause, 'DEVICE_STOP_TIMEOUT');

/**
 * Passes on what a device's code has returned.
 * @throws TypeError for a promise, which has no place in a call that comes back at once; when it is rejected later, nothing more happens
 */
export function notPromise<R>(returned: R): R {
	if (!(returned instanceof Promise)) return returned;
	returned.catch(() => {});
	throw new TypeError('it returned a promise');
}

type Header = ViewOf<typeof DeviceHeader>;

const phases = {none: 0, written: 1, failed: 2} as const;
const failureWord = DeviceHeader.word('failure');

/** Keeps whether a device has failed, on any thread, and does what follows. Nothing brings it back while its machine lives. */
export class DeviceFaults {
	readonly name: string;
	readonly policy: DeviceFailurePolicy;
	readonly #header: Header;
	readonly #failed: () => void;

	/** @param failed - called once, on the thread on which the device failed */
	constructor(name: string, header: Header, policy: DeviceFailurePolicy, failed: () => void) {
		this.name = name;
		this.policy = policy;
		this.#header = header;
		this.#failed = failed;
	}

	get hasFailed(): boolean {
		return this.#header.failure !== phases.none;
	}

	/** The device's code has thrown: it is not called any more. */
	record(when: string, cause: unknown): VmmError {
		const error = deviceFailure(this.name, when, cause);
		// Through a line, a device meets the failure of another one.
		if (isVmmError(cause, 'DEVICE_FAILED')) return error;
		const {$atomic: words, failureText} = this.#header;
		if (Atomics.compareExchange(words, failureWord, phases.none, phases.written) !== phases.none) return error;
		const text = Buffer.from(error.message);
		failureText.set(text.subarray(0, failureText.length));
		Atomics.store(words, failureWord, phases.failed);
		this.#failed();
		return error;
	}

	/** The same for an access. @throws VmmError where the failure is the machine's */
	met(when: string, cause: unknown): void {
		const error = this.record(when, cause);
		if (this.policy === 'machine') throw error;
	}

	/** Runs a call of the device's code that nothing is returned from, unless it has failed. */
	during(when: string, call: () => void): void {
		if (this.hasFailed) return;
		try {
			notPromise<unknown>(call());
		} catch (cause) {
			this.met(when, cause);
		}
	}

	/** Text of the failure; undefined while it has not failed. */
	get message(): string | undefined {
		const {failure, failureText} = this.#header;
		return failure === phases.failed ? Buffer.from(failureText).toString().replace(/\0+$/, '') : undefined;
	}
}
