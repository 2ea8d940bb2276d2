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
