import type {
	AccessSize,
	AnyDeviceModel,
	DeviceFront,
	DeviceServices,
	DoorbellDeclaration,
	Halves,
	Hypercall,
	Region,
} from '#devices/device';
import type {BusTarget, HypercallTarget, MsrTarget} from '#devices/io-bus';
import {errorTable} from '#support/errors';
import type {MailboxCaller} from '#support/mailbox';
import {lock, lockPatienceMs, unlock} from '#support/shared-memory';
import type {ViewOf} from '#support/wire';
import {deviceFailure} from './guarded-back.ts';
import {DeviceHeader, type PlacedDevice} from './layout.ts';

type Header = ViewOf<typeof DeviceHeader>;
const lockWord = DeviceHeader.word('lock');

const targetError = errorTable({
	DEVICE_HANGS: (c: {device: string; seconds: number}) => ({
		message: `The device ${c.device} has been busy for ${c.seconds} s with an access of another thread`,
		remedy:
			"Its code, or that of a device that it has called by a line, does not come back: look in the device's own module",
	}),
});

/** A device as one thread has it. */
export interface AttachedDevice {
	readonly placed: PlacedDevice;
	readonly model: AnyDeviceModel;
	// biome-ignore lint/suspicious/noExplicitAny: the state's type is the model's own
	readonly state: any;
	readonly header: ViewOf<typeof DeviceHeader>;
	readonly services: DeviceServices;
	readonly front: DeviceFront;
	readonly target: SharedTarget;
	readonly regions: readonly Region[];
	readonly doorbells: readonly DoorbellDeclaration[];
}

/** A device served on the calling thread, over its shared state, under its lock. */
export class SharedTarget implements BusTarget, MsrTarget, HypercallTarget {
	readonly #name: string;
	readonly #header: Header;
	readonly #front: DeviceFront;
	readonly #patienceMs: number;

	/** @param patienceMs - how long an access may wait for the device before the device counts as one that hangs */
	constructor(name: string, header: Header, front: DeviceFront, patienceMs = lockPatienceMs) {
		this.#name = name;
		this.#header = header;
		this.#front = front;
		this.#patienceMs = patienceMs;
	}

	read(region: number, offset: number, size: AccessSize): number {
		this.#enter();
		try {
			return this.#front.read(region, offset, size);
		} catch (cause) {
			throw deviceFailure(this.#name, 'read', cause);
		} finally {
			this.#leave();
		}
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		this.#enter();
		try {
			this.#front.write(region, offset, size, value);
		} catch (cause) {
			throw deviceFailure(this.#name, 'write', cause);
		} finally {
			this.#leave();
		}
	}

	readMsr(region: number, offset: number, value: Halves): boolean {
		this.#enter();
		try {
			return this.#front.readMsr?.(region, offset, value) ?? false;
		} catch (cause) {
			throw deviceFailure(this.#name, 'RDMSR', cause);
		} finally {
			this.#leave();
		}
	}

	writeMsr(region: number, offset: number, value: Halves): boolean {
		this.#enter();
		try {
			return this.#front.writeMsr?.(region, offset, value) ?? false;
		} catch (cause) {
			throw deviceFailure(this.#name, 'WRMSR', cause);
		} finally {
			this.#leave();
		}
	}

	hypercall(region: number, offset: number, call: Hypercall): void {
		this.#enter();
		try {
			this.#front.hypercall?.(region, offset, call);
		} catch (cause) {
			throw deviceFailure(this.#name, 'hypercall', cause);
		} finally {
			this.#leave();
		}
	}

	/** Runs `action` as an access would. */
	locked<R>(action: () => R): R {
		this.#lock();
		try {
			return action();
		} finally {
			this.#leave();
		}
	}

	#enter(): void {
		this.#lock();
		this.#header.accesses++;
	}

	#leave(): void {
		unlock(this.#header.$atomic, lockWord);
	}

	#lock(): void {
		if (!lock(this.#header.$atomic, lockWord, this.#patienceMs))
			throw targetError('DEVICE_HANGS', {device: this.#name, seconds: this.#patienceMs / 1000});
	}
}

/** A device served by the device worker, reached through the calling thread's mailbox slot. */
export class RemoteTarget implements BusTarget {
	readonly #caller: MailboxCaller;
	readonly #device: number;

	constructor(caller: MailboxCaller, device: number) {
		this.#caller = caller;
		this.#device = device;
	}

	read(region: number, offset: number, size: AccessSize): number {
		return this.#caller.call(this.#device, region, offset, size, false, 0);
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		this.#caller.call(this.#device, region, offset, size, true, value);
	}
}
