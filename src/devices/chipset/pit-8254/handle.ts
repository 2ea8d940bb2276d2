/** Names this device in machine descriptions. */
export const pit8254Kind = 'pit-8254';

/** The interval timer of a machine. */
export interface Pit8254Config {
	/** Input of the interrupt controller that the output of counter 0 drives; 0 on a PC. */
	readonly irq: number;
}
