/** Names this device in machine descriptions. */
export const i8042Kind = 'i8042';

/** The keyboard controller of a PC. */
export interface I8042Config {
	/** Input of the interrupt controller for the keyboard; the PC's 1 by default. */
	readonly keyboardIrq?: number;
	/** Input of the interrupt controller for the mouse; the PC's 12 by default. */
	readonly mouseIrq?: number;
}
