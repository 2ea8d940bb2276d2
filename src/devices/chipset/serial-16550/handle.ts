import type {SerialBackendConfig} from '#devices/serial-backends';

/** Names this device in machine descriptions. */
export const serial16550Kind = 'serial-16550';

/** One UART of a machine. */
export interface Serial16550Config {
	/** First of its eight ports. */
	readonly base: number;
	/** Input of the interrupt controller. */
	readonly irq: number;
	readonly backend: SerialBackendConfig;
	/**
	 * Holds input back until the guest raises DTR and RTS, so that nothing typed ahead is lost when an operating system
	 * clears the FIFO of a port it opens. Off by default: some firmware reads without ever raising them.
	 */
	readonly waitForRts?: boolean;
}

/** The PC's serial ports (IBM PC/AT Technical Reference; COM3 and COM4 by convention). */
export const standardSerialPorts = [
	{name: 'com1', base: 0x3f8, irq: 4},
	{name: 'com2', base: 0x2f8, irq: 3},
	{name: 'com3', base: 0x3e8, irq: 4},
	{name: 'com4', base: 0x2e8, irq: 3},
] as const;

/** What they are called. */
export type SerialPortName = (typeof standardSerialPorts)[number]['name'];
