import type {InterruptLine} from '#devices/interrupts';
import {type ConfigSpace, Express, LinkStatus, SlotControl, SlotStatus} from '#devices/pci/config-space';
import {isBusReset, isLinkUp} from './leads-on.ts';

/**
 * The slot of a downstream port: who is in it, whether its link is up, and when the guest hears of it (PCI Express Base
 * 6.0, 6.7.3). A port without a slot has a link all the same.
 */
export class HotPlug {
	readonly #space: ConfigSpace;
	readonly #express: number;
	readonly #line: InterruptLine;

	/** @param express - offset of the Express capability */
	constructor(space: ConfigSpace, express: number, line: InterruptLine) {
		this.#space = space;
		this.#express = express;
		this.#line = line;
	}

	/** Shows a device that is there at power-on without an event: it was always there. */
	reset(occupied: boolean): void {
		const {PRESENT} = SlotStatus;
		this.#space.set(this.#express + Express.SLOT_STATUS, 2, PRESENT, occupied ? PRESENT : 0);
		this.#setLink(occupied);
	}

	/** A device has come or gone. */
	occupancyChanged(occupied: boolean): void {
		const {PRESENT, PRESENCE_CHANGED} = SlotStatus;
		const changed = (occupied ? PRESENT : 0) | PRESENCE_CHANGED;
		this.#space.set(this.#express + Express.SLOT_STATUS, 2, PRESENT | PRESENCE_CHANGED, changed);
		this.#follow(occupied);
	}

	/** After anything the guest may have written: it turns the slot's power on and off, resets the link, and takes events. */
	configWritten(occupied: boolean): void {
		this.#follow(occupied);
	}

	#follow(occupied: boolean): void {
		const control = this.#space.read(this.#express + Express.SLOT_CONTROL, 2);
		const isUp = occupied && (control & SlotControl.POWER_OFF) === 0 && !isBusReset(this.#space);
		if (isUp !== isLinkUp(this.#space, this.#express)) {
			this.#setLink(isUp);
			this.#space.set(this.#express + Express.SLOT_STATUS, 2, SlotStatus.LINK_CHANGED, SlotStatus.LINK_CHANGED);
		}
		const status = this.#space.read(this.#express + Express.SLOT_STATUS, 2);
		const presence = (status & SlotStatus.PRESENCE_CHANGED) !== 0 && (control & SlotControl.PRESENCE_ENABLE) !== 0;
		const link = (status & SlotStatus.LINK_CHANGED) !== 0 && (control & SlotControl.LINK_ENABLE) !== 0;
		this.#line.setLevel((presence || link) && (control & SlotControl.INTERRUPT_ENABLE) !== 0);
	}

	#setLink(isUp: boolean): void {
		this.#space.set(this.#express + Express.LINK_STATUS, 2, LinkStatus.ACTIVE, isUp ? LinkStatus.ACTIVE : 0);
	}
}
