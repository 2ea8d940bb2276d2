import type {GsiTable} from './gsi-table.ts';

/** Interrupts by message, past any controller's pins. Callable from any thread. */
export interface MessageInterrupts {
	/** Delivers a message at once. Hot: allocates nothing. */
	send(addressLow: number, addressHigh: number, data: number): void;
	/** The messages that the back end sends for its inputs, and whose end it reports. */
	readonly gsis: GsiTable;
}
