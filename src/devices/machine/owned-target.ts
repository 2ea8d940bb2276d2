import type {AccessSize} from '#devices/device';
import type {BusTarget} from '#devices/io-bus';
import type {MailboxCaller} from '#support/mailbox';
import {type AttachedDevice, deviceHangs} from './attached-device.ts';

/** A device that the device worker owns, reached through the calling thread's mailbox slot. */
export class OwnedTarget implements BusTarget {
	readonly #device: AttachedDevice;
	readonly #number: number;
	readonly #answers: (region: number, offset: number) => boolean;
	readonly #caller: MailboxCaller;

	/**
	 * @param number - the device's
	 * @param answers - false for accesses that are served here
	 */
	constructor(
		device: AttachedDevice,
		number: number,
		answers: (region: number, offset: number) => boolean,
		caller: MailboxCaller,
	) {
		this.#device = device;
		this.#number = number;
		this.#answers = answers;
		this.#caller = caller;
	}

	read(region: number, offset: number, size: AccessSize): number {
		if (!this.#answers(region, offset)) return this.#device.target.read(region, offset, size);
		return this.#call(region, offset, size, false, 0);
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		if (this.#answers(region, offset)) this.#call(region, offset, size, true, value);
		else this.#device.target.write(region, offset, size, value);
	}

	/** All ones where the device has failed, or fails now. */
	#call(region: number, offset: number, size: AccessSize, isWrite: boolean, value: number): number {
		const {faults} = this.#device;
		const allOnes = 0xffff_ffff >>> (32 - 8 * size);
		if (faults.hasFailed) return allOnes;
		const reply = this.#caller.call(this.#number, region, offset, size, isWrite, value);
		if (reply === undefined) faults.met('access', deviceHangs(faults.name, this.#caller.patienceMs, 'own'));
		return reply === undefined ? allOnes : (reply & allOnes) >>> 0;
	}
}
