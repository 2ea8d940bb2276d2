import type {AccessSize, DeviceCommand} from '#devices/device';
import {errorTable} from '#support/errors';
import {MailboxServer, type MailboxSet} from '#support/mailbox';
import type {Reactor} from '#support/reactor';
import type {AttachedDevice} from './attached-device.ts';
import type {AttachedMachine} from './attached-machine.ts';
import {notPromise, textOf} from './device-failure.ts';
import type {GuardedBack} from './guarded-back.ts';
import type {OwnedBack} from './owned-back.ts';
import type {OwnedState} from './saved-machine.ts';

const ownedError = errorTable({
	DEVICE_NOT_SAVED: (c: {device: string; cause: string}) => ({
		message: `The state of the device ${c.device} cannot be saved: ${c.cause}`,
		remedy: "Look in the device's own module. The machine goes on without the snapshot",
	}),
	DEVICE_STATE_REFUSED: (c: {device: string; cause: string}) => ({
		message: `The device ${c.device} refuses its saved state: ${c.cause}`,
		remedy: 'Use a snapshot that this version of the device made',
	}),
	DEVICE_NOT_INSPECTED: (c: {device: string; cause: string}) => ({
		message: `The device ${c.device} does not say what it is doing: ${c.cause}`,
	}),
});

interface Owned {
	readonly name: string;
	readonly device: AttachedDevice;
	readonly back: GuardedBack;
}

/** The devices that a device worker owns: their accesses, and what their state is asked for. */
export class OwnedDevices {
	readonly #machine: AttachedMachine;
	readonly #reactor: Reactor;
	readonly #limitNs: number;
	readonly #mailbox: MailboxServer | undefined;
	/** By the device's number. */
	#owned: readonly (Owned | undefined)[] = [];

	/**
	 * @param limitNs - how long a device may take to save its state, and to restore it
	 * @param mailbox - by which accesses come; without it there are none
	 */
	constructor(machine: AttachedMachine, reactor: Reactor, limitNs: number, mailbox: MailboxSet | undefined) {
		this.#machine = machine;
		this.#reactor = reactor;
		this.#limitNs = limitNs;
		this.#mailbox = mailbox && new MailboxServer(mailbox, (...access) => this.#serve(...access));
	}

	/** Follows the machine to devices that have come or gone. */
	follow(backOf: (device: AttachedDevice) => GuardedBack | undefined): void {
		this.#owned = this.#machine.devices.map((device) => {
			const back = device.model.owned && backOf(device);
			return back && {name: device.placed.name, device, back};
		});
	}

	/** Serves the accesses that wait, until `isOver`; true when there was one. */
	poll(isOver: () => boolean): boolean {
		return this.#mailbox?.poll(isOver) ?? false;
	}

	/** Gives every device its state at power-on. While nothing is in flight. */
	reset(): void {
		for (const owned of this.#owned) owned?.back.reset();
	}

	/** Every device's state. While nothing is in flight. @throws VmmError DEVICE_NOT_SAVED */
	async save(): Promise<readonly OwnedState[]> {
		const saved: OwnedState[] = [];
		for (const owned of this.#owned) if (owned !== undefined) saved.push(await this.#save(owned));
		return saved;
	}

	/** Gives devices that have just been made the state that {@link save} gave. @throws VmmError DEVICE_STATE_REFUSED */
	async restore(states: readonly OwnedState[]): Promise<void> {
		for (const {name, version, bytes} of states) {
			try {
				await this.#inTime(inCode(this.#find(name), (back) => back.restore(version, bytes)));
			} catch (cause) {
				throw ownedError('DEVICE_STATE_REFUSED', {device: name, cause: textOf(cause)}, {cause});
			}
		}
	}

	/** Asks a device for its own report, as plain data. @throws VmmError DEVICE_NOT_INSPECTED */
	async inspect(name: string): Promise<object> {
		try {
			return (await inCode(this.#find(name), ({device}) => device.inspect?.())) ?? {};
		} catch (cause) {
			throw ownedError('DEVICE_NOT_INSPECTED', {device: name, cause: textOf(cause)}, {cause});
		}
	}

	/** Asks a device for something; nothing where it is not one of these. */
	control(name: string, command: DeviceCommand): void {
		this.#find(name)?.back.call('control', ({device}) => device.control?.(command));
	}

	#find(wanted: string): Owned | undefined {
		return this.#owned.find((owned) => owned?.name === wanted);
	}

	async #save(owned: Owned): Promise<OwnedState> {
		const {name, device} = owned;
		const {version = 1, mostBytes = 0} = device.model.owned ?? {};
		try {
			owned.back.notified();
			const bytes: unknown = await this.#inTime(inCode(owned, async ({device: live}) => live.save()));
			if (!(bytes instanceof Uint8Array)) throw new TypeError('it gave no bytes');
			if (bytes.length > mostBytes)
				throw new RangeError(`it has ${bytes.length} bytes, and declares at most ${mostBytes}`);
			// A buffer's bytes may be part of something larger, which would go to the other thread whole.
			return {name, version, bytes: new Uint8Array(bytes)};
		} catch (cause) {
			throw ownedError('DEVICE_NOT_SAVED', {device: name, cause: textOf(cause)}, {cause});
		}
	}

	async #inTime<T>(action: Promise<T>): Promise<T> {
		const late = Promise.withResolvers<never>();
		const seconds = this.#limitNs / 1e9;
		const timer = this.#reactor.after(this.#limitNs, () => late.reject(new Error(`it takes longer than ${seconds} s`)));
		try {
			return await Promise.race([action, late.promise]);
		} finally {
			timer.cancel();
		}
	}

	/** All ones for a device that has failed or fails now. */
	#serve(
		number: number,
		region: number,
		offset: number,
		size: AccessSize,
		isWrite: boolean,
		value: number,
		vp: number,
	): number {
		const {access} = this.#machine;
		const owned = this.#owned[number];
		if (owned === undefined) return allOnes;
		owned.device.header.accesses++;
		access.vp = vp;
		try {
			const reply = isWrite
				? owned.back.call('write', ({device}) => writeTo(device, region, offset, size, value))
				: owned.back.call('read', ({device}) => readFrom(device, region, offset, size));
			return reply ?? allOnes;
		} finally {
			access.vp = undefined;
		}
	}
}

const allOnes = 0xffff_ffff;

/** Runs a call of a device's code, whose failure is the caller's. @throws Error where the device has failed */
function inCode<R>(owned: Owned | undefined, action: (back: OwnedBack) => R): R {
	const back = owned?.back.owned;
	if (owned === undefined || back === undefined) throw new Error('it has failed');
	return owned.back.run(() => action(back));
}

type Device = OwnedBack['device'];

function readFrom(device: Device, region: number, offset: number, size: AccessSize): number {
	const value: unknown = notPromise<unknown>(device.read(region, offset, size));
	if (Number.isInteger(value)) return value as number;
	throw new TypeError(`it returned ${typeof value === 'number' ? value : `a value of type ${typeof value}`}`);
}

function writeTo(device: Device, region: number, offset: number, size: AccessSize, value: number): number {
	notPromise<unknown>(device.write(region, offset, size, value));
	return value;
}
