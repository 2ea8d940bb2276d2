/** An interrupt as the write that a PCI device would make (PCI 3.0, 6.8.1; Intel SDM vol. 3, 11.11). */
export interface InterruptMessage {
	/** Bits 11:5 may carry bits 14:8 of the APIC id, where the upper half is zero. */
	readonly addressLow: number;
	/** Bits 8–31 of the APIC id, where ids are that wide. */
	readonly addressHigh: number;
	readonly data: number;
}

/** Interrupts by message, past any controller's inputs. Callable from any thread. */
export interface MessageInterrupts {
	/** Delivers a message at once. Hot: allocates nothing. */
	send(addressLow: number, addressHigh: number, data: number): void;
	/**
	 * Says which messages an I/O APIC of ours sends for its inputs, all of them each time: the processors' local APICs
	 * report the end of an interrupt only for vectors that are level-triggered here.
	 */
	setRoutes(routes: readonly (InterruptMessage & {readonly input: number})[]): void;
}
