import {type ConfigSpace, Msi, MsiControl} from '#devices/pci/config-space';

/** A function's MSI capability at work. */
export class MsiMessages {
	/** Most vectors that the guest can allow (PCI 3.0, 6.8.1.3). */
	readonly entries = 32;
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
	entry(vector: number): number {
		return Math.min(vector, 2 ** Math.min((this.#control >>> MsiControl.enabledShift) & 7, 5) - 1);
	}

	isMasked(vector: number): boolean {
		return ((this.#space.read(this.#at + Msi.MASK, 4) >>> vector) & 1) !== 0;
	}

	isPending(vector: number): boolean {
		return ((this.#space.read(this.#at + Msi.PENDING, 4) >>> vector) & 1) !== 0;
	}

	setPending(vector: number): void {
		this.#space.setBit(this.#at + Msi.PENDING, vector, true);
	}

	/** True for whoever of several threads is the one that sends what was pending. */
	takePending(vector: number): boolean {
		return this.#space.setBit(this.#at + Msi.PENDING, vector, false);
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
