import type {
	AccessSize,
	AnyDeviceModel,
	DeviceFront,
	DoorbellDeclaration,
	Halves,
	Hypercall,
	MachineServices,
	Region,
} from '#devices/device';
import type {BusTarget, HypercallTarget, MsrTarget} from '#devices/io-bus';
import type {Intercept} from '#devices/processor';
import {errorTable} from '#support/errors';
import {lock, lockPatienceMs, unlock} from '#support/shared-memory';
import type {ViewOf} from '#support/wire';
import type {DecodeChanges} from './decode-changes.ts';
import {type DeviceFaults, notPromise} from './device-failure.ts';
import {DeviceHeader} from './device-header.ts';
import type {AttachedPages} from './device-pages.ts';
import type {PlacedDevice} from './layout.ts';

type Header = ViewOf<typeof DeviceHeader>;
const lockWord = DeviceHeader.word('lock');

const targetError = errorTable({
	DEVICE_HANGS: (c: {device: string; seconds: number; access: 'own' | 'other'}) => ({
		message:
			c.access === 'own'
				? `The device ${c.device} has not answered an access for ${c.seconds} s`
				: `The device ${c.device} has been busy for ${c.seconds} s with an access of another thread`,
		remedy:
			"Its code, or that of a device on the same thread or at one of its lines, does not come back: look in the device's own module",
	}),
});

/**
 * The failure of a device that an access has waited for.
 * @param access - the one that the device does not come back from
 */
export const deviceHangs = (device: string, patienceMs: number, access: 'own' | 'other') =>
	targetError('DEVICE_HANGS', {device, seconds: patienceMs / 1000, access});

/** A device as one thread has it. */
export interface AttachedDevice {
	/** Of another revision when its configuration has been changed. */
	placed: PlacedDevice;
	readonly model: AnyDeviceModel;
	// biome-ignore lint/suspicious/noExplicitAny: the state's type is the model's own
	readonly state: any;
	readonly header: ViewOf<typeof DeviceHeader>;
	readonly services: MachineServices;
	readonly target: SharedTarget;
	readonly regions: readonly Region[];
	readonly faults: DeviceFaults;
	readonly doorbells: readonly DoorbellDeclaration[];
	readonly pages: readonly AttachedPages[];
}

/** A device served on the calling thread, over its shared state, under its lock. */
export class SharedTarget implements BusTarget, MsrTarget, HypercallTarget {
	readonly #faults: DeviceFaults;
	readonly #header: Header;
	readonly #makeFront: () => DeviceFront;
	#made: DeviceFront | undefined;
	readonly #decode: DecodeChanges;
	readonly #patienceMs: number;

	/**
	 * @param makeFront - called when somebody wants it, once or after {@link renew}: a thread comes to few of a machine's devices
	 * @param patienceMs - how long an access may wait for the device before the device counts as one that hangs
	 */
	constructor(
		header: Header,
		makeFront: () => DeviceFront,
		faults: DeviceFaults,
		decode: DecodeChanges,
		patienceMs = lockPatienceMs,
	) {
		this.#decode = decode;
		this.#faults = faults;
		this.#header = header;
		this.#makeFront = makeFront;
		this.#patienceMs = patienceMs;
	}

	/** @throws what its model does */
	get front(): DeviceFront {
		this.#made ??= this.#makeFront();
		return this.#made;
	}

	/** The next that wants the front has it made anew, for another configuration. */
	renew(): void {
		this.#made = undefined;
	}

	read(region: number, offset: number, size: AccessSize): number {
		if (!this.#enter()) return allOnes(size);
		try {
			const value = this.front.read(region, offset, size);
			if (Number.isInteger(value)) return value;
			return this.#nonsense(value);
		} catch (cause) {
			this.#faults.met('read', cause);
		} finally {
			this.#leave();
		}
		return allOnes(size);
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		if (!this.#enter()) return;
		try {
			const result: unknown = this.front.write(region, offset, size, value);
			if (result !== undefined) this.#nonsense(result);
		} catch (cause) {
			this.#faults.met('write', cause);
		} finally {
			this.#leave();
		}
	}

	readMsr(region: number, offset: number, value: Halves): boolean {
		if (!this.#enter()) return false;
		try {
			return notPromise<unknown>(this.front.readMsr?.(region, offset, value)) === true;
		} catch (cause) {
			this.#faults.met('RDMSR', cause);
		} finally {
			this.#leave();
		}
		return false;
	}

	writeMsr(region: number, offset: number, value: Halves): boolean {
		if (!this.#enter()) return false;
		try {
			return notPromise<unknown>(this.front.writeMsr?.(region, offset, value)) === true;
		} catch (cause) {
			this.#faults.met('WRMSR', cause);
		} finally {
			this.#leave();
		}
		return false;
	}

	hypercall(region: number, offset: number, call: Hypercall): void {
		if (!this.#enter()) return;
		try {
			notPromise<unknown>(this.front.hypercall?.(region, offset, call));
		} catch (cause) {
			this.#faults.met('hypercall', cause);
		} finally {
			this.#leave();
		}
	}

	intercept(region: number, offset: number, intercept: Intercept): void {
		this.guarded('intercept', () => this.front.intercept?.(region, offset, intercept));
	}

	/** Runs a call of the front as an access; undefined when the device has failed, or fails now. */
	guarded<R>(when: string, call: () => R): R | undefined {
		if (!this.#enter()) return undefined;
		try {
			return notPromise(call());
		} catch (cause) {
			this.#faults.met(when, cause);
			return undefined;
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

	/** False when the device has failed: it is not to be called. */
	#enter(): boolean {
		if (this.#faults.hasFailed) return false;
		try {
			this.#lock();
		} catch (cause) {
			this.#faults.met('access', cause);
			return false;
		}
		this.#header.accesses++;
		return true;
	}

	#nonsense(value: unknown): never {
		notPromise(value);
		throw new TypeError(`it returned ${typeof value === 'number' ? value : `a value of type ${typeof value}`}`);
	}

	#leave(): void {
		unlock(this.#header.$atomic, lockWord);
		this.#decode.release();
	}

	#lock(): void {
		if (!lock(this.#header.$atomic, lockWord, this.#patienceMs))
			throw deviceHangs(this.#faults.name, this.#patienceMs, 'other');
		this.#decode.hold();
	}
}

const allOnes = (size: AccessSize): number => 0xffff_ffff >>> (32 - 8 * size);
