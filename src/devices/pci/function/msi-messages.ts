import {type ConfigSpace, Msi, MsiControl} from '#devices/pci/config-space';

/** A function's MSI capability at work. */
export class MsiMessages {
	readonly #space: ConfigSpace;
	readonly #at: number;

	/** @param at - offset of the capability */
	constructor(space: ConfigSpace, at: number) {
		this.#space = space;
		this.#at = at;
	}

	get enabled(): boolean {
		return (this.#control & MsiControl.ENABLE) !== 0;
	}

	/** The vector that stands for `vector`: the guest may allow fewer than there are. */
	shared(vector: number): number {
		return Math.min(vector, 2 ** Math.min((this.#control >>> MsiControl.enabledShift) & 7, 5) - 1);
	}

	isMasked(vector: number): boolean {
		return ((this.#space.read(this.#at + Msi.MASK, 4) >>> vector) & 1) !== 0;
	}

	isPending(vector: number): boolean {
		return ((this.#space.read(this.#at + Msi.PENDING, 4) >>> vector) & 1) !== 0;
	}

	setPending(vector: number, pending: boolean): void {
		const bit = (1 << vector) >>> 0;
		this.#space.set(this.#at + Msi.PENDING, 4, bit, pending ? bit : 0);
	}

	addressLow(): number {
		return this.#space.read(this.#at + Msi.ADDRESS, 4);
	}

	addressHigh(): number {
		return this.#space.read(this.#at + Msi.ADDRESS_UPPER, 4);
	}

	/** The function changes as many low bits as the guest allows. */
	data(vector: number): number {
		return (this.#space.read(this.#at + Msi.DATA, 2) | vector) >>> 0;
	}

	get #control(): number {
		return this.#space.read(this.#at + Msi.CONTROL, 2);
	}
}
