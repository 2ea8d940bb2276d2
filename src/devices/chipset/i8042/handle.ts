import type {DeviceCommand} from '#devices/device';
import type {MouseMove} from './mouse.ts';

/** Names this device in machine descriptions. */
export const i8042Kind = 'i8042';

/** Inputs of the interrupt controller on every PC. */
export const keyboardIrq = 1;
export const mouseIrq = 12;

/** The keyboard controller of a PC. */
export interface I8042Config {
	/** Input of the interrupt controller for the keyboard; the PC's 1 by default. */
	readonly keyboardIrq?: number;
	/** Input of the interrupt controller for the mouse; the PC's 12 by default. */
	readonly mouseIrq?: number;
}

/** Presses or releases the key with this USB HID usage id (page 7). Lost when the guest does not listen. */
export interface PressKey extends DeviceCommand {
	readonly kind: 'press-key';
	readonly usage: number;
	readonly down: boolean;
}

/** Moves the mouse, turns its wheel, or changes its buttons. Lost while the guest does not listen. */
export interface MoveMouse extends DeviceCommand {
	readonly kind: 'move-mouse';
	readonly move: MouseMove;
}
