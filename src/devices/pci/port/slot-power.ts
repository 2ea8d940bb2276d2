import {type ConfigSpace, Express, SlotControl} from '#devices/pci/config-space';

/** What the guest does with the power of a port's slot. */
export class SlotPower {
	readonly #space: ConfigSpace;
	readonly #express: number;

	constructor(space: ConfigSpace, express: number) {
		this.#space = space;
		this.#express = express;
	}

	get isOff(): boolean {
		return (this.#control & SlotControl.POWER_OFF) !== 0;
	}

	/** The guest is about to turn it on or off, and says so by the power indicator (6.7.1.1.2). */
	get isChanging(): boolean {
		return (this.#control & SlotControl.POWER_INDICATOR) === SlotControl.POWER_BLINKS;
	}

	get #control(): number {
		return this.#space.read(this.#express + Express.SLOT_CONTROL, 2);
	}
}
