/** Names this device in machine descriptions. */
export const pic8259Kind = 'pic-8259';

/** The pair of interrupt controllers of a PC. */
export interface Pic8259Config {
	/** Input that the master's INTR output leads to. */
	readonly intrInput: number;
}
