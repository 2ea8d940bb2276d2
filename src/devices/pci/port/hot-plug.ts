import type {InterruptLine} from '#devices/interrupts';
import {
	type ConfigSpace,
	Express,
	LinkStatus,
	SlotCapability,
	SlotControl,
	SlotStatus,
} from '#devices/pci/config-space';
import {type FieldsView, u8, wire} from '#support/wire';
import {isBusReset, isLinkUp} from './leads-on.ts';
import {SlotPower} from './slot-power.ts';

/** What a port has besides its configuration space. */
export const PortState = wire('pcie-port', {
	/** A device has come to a slot that is off, and the guest is to be told by the button when it may be pressed. */
	comes: u8,
	/** Memory behind it reads as zeros: see `PciFunction.leavesZeros`. */
	zeros: u8,
});

/**
 * The slot of a downstream port: who is in it, whether its link is up, and when the guest hears of it (PCI Express Base
 * 6.0, 6.7.3). A port without a slot has a link all the same.
 */
export class HotPlug {
	readonly #space: ConfigSpace;
	readonly #express: number;
	readonly #line: InterruptLine;
	readonly #power: SlotPower;
	readonly #state: FieldsView<typeof PortState.fields>;

	/** @param express - offset of the Express capability */
	constructor(space: ConfigSpace, express: number, line: InterruptLine, state: FieldsView<typeof PortState.fields>) {
		this.#space = space;
		this.#express = express;
		this.#line = line;
		this.#state = state;
		this.#power = new SlotPower(space, express);
	}

	/** Shows a device that is there at power-on without an event: it was always there. */
	reset(occupied: boolean): void {
		const {PRESENT} = SlotStatus;
		this.#space.set(this.#express + Express.SLOT_STATUS, 2, PRESENT, occupied ? PRESENT : 0);
		this.#setLink(occupied);
	}

	/** A device has come or gone. @param leavesZeros - see `PciFunction` */
	occupancyChanged(occupied: boolean, leavesZeros: boolean): void {
		const {PRESENT, PRESENCE_CHANGED} = SlotStatus;
		const changed = (occupied ? PRESENT : 0) | PRESENCE_CHANGED;
		this.#space.set(this.#express + Express.SLOT_STATUS, 2, PRESENT | PRESENCE_CHANGED, changed);
		this.#state.comes = occupied && this.#power.isOff ? 1 : 0;
		this.#state.zeros = !occupied && leavesZeros ? 1 : 0;
		this.#follow(occupied);
	}

	/** The button is pressed, where there is one: the guest is to let go of the device, or to take it. */
	attentionPressed(occupied: boolean): void {
		this.#press();
		this.#follow(occupied);
	}

	/** After anything the guest may have written: it turns the slot's power on and off, resets the link, and takes events. */
	configWritten(occupied: boolean): void {
		this.#follow(occupied);
	}

	#follow(occupied: boolean): void {
		this.#pressForComing();
		if (this.#power.isOff) this.#state.zeros = 0;
		const control = this.#space.read(this.#express + Express.SLOT_CONTROL, 2);
		const isUp = occupied && !this.#power.isOff && !isBusReset(this.#space);
		if (isUp !== isLinkUp(this.#space, this.#express)) {
			this.#setLink(isUp);
			this.#space.set(this.#express + Express.SLOT_STATUS, 2, SlotStatus.LINK_CHANGED, SlotStatus.LINK_CHANGED);
		}
		const status = this.#space.read(this.#express + Express.SLOT_STATUS, 2);
		const presence = (status & SlotStatus.PRESENCE_CHANGED) !== 0 && (control & SlotControl.PRESENCE_ENABLE) !== 0;
		const link = (status & SlotStatus.LINK_CHANGED) !== 0 && (control & SlotControl.LINK_ENABLE) !== 0;
		const attention = (status & SlotStatus.ATTENTION) !== 0 && (control & SlotControl.ATTENTION_ENABLE) !== 0;
		this.#line.setLevel((presence || link || attention) && (control & SlotControl.INTERRUPT_ENABLE) !== 0);
	}

	/** A guest that waits for the button does not look who comes to a slot that it has turned off. Pressed while it is at that, it would be taken back. */
	#pressForComing(): void {
		if (this.#state.comes === 0 || this.#power.isChanging) return;
		this.#state.comes = 0;
		if (this.#power.isOff) this.#press();
	}

	#press(): void {
		const capabilities = this.#space.read(this.#express + Express.SLOT_CAPABILITIES, 4);
		if ((capabilities & SlotCapability.ATTENTION_BUTTON) === 0) return;
		this.#space.set(this.#express + Express.SLOT_STATUS, 2, SlotStatus.ATTENTION, SlotStatus.ATTENTION);
	}

	#setLink(isUp: boolean): void {
		this.#space.set(this.#express + Express.LINK_STATUS, 2, LinkStatus.ACTIVE, isUp ? LinkStatus.ACTIVE : 0);
	}
}
