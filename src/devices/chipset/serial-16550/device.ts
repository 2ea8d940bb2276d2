import {byteFront} from '#devices/chipset/byte-registers';
import type {BackServices, DeviceFront, DeviceModel, DeviceServices} from '#devices/device';
import {createSerialBack, type SerialBack, type SerialBackendConfig} from '#devices/serial-backends';
import type {FieldsView} from '#support/wire';
import {registerCount} from './registers.ts';
import {receiveCapacity, type Serial16550Fields, Serial16550State} from './state.ts';
import {Uart} from './uart.ts';

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

/** Name of one of them. */
export type SerialPortName = (typeof standardSerialPorts)[number]['name'];

/** A 16550A UART with its host side. */
export const serial16550: DeviceModel<Serial16550Config, Serial16550Fields> = {
	kind: serial16550Kind,
	state: Serial16550State,
	attach: {regions: ({base}) => [{space: 'pio', name: 'registers', base, length: registerCount}]},
	lines: ({irq}) => ({interrupt: irq}),
	front: serial16550Front,
	back: serial16550Back,
};

/** The UART's registers on one thread. */
function serial16550Front(
	config: Serial16550Config,
	state: FieldsView<Serial16550Fields>,
	services: DeviceServices,
): DeviceFront {
	const uart = new Uart(state, services.line('interrupt'));
	const attached = config.backend.kind !== 'none';
	const waitForRts = config.waitForRts ?? false;

	/**
	 * Takes a byte from the transmitter. The ring has room for it whenever the guest saw THRE. The back goes on until the
	 * ring is empty, so only a byte that finds itself alone needs to wake it; whether it is must be asked after it is
	 * in the ring, or the back could empty the ring and leave between question and byte.
	 */
	const send = (byte: number) => {
		if (attached && !uart.transmit.push(byte)) {
			state.txDropped++;
			return;
		}
		state.txBytes++;
		if (!attached) state.txDiscarded++;
		else if (uart.transmit.length === 1) services.notifyBack();
	};

	/** Wakes a back that holds input, once half the ring is free, so that it moves more than a byte at a time. */
	const invite = () => {
		if (state.inputWaiting === 0 || uart.receive.length > receiveCapacity / 2 || !uart.wantsInput(waitForRts)) return;
		state.inputWaiting = 0;
		services.notifyBack();
	};

	return byteFront({
		readByte(_region, offset) {
			const value = uart.read(offset);
			uart.sync();
			invite();
			return value;
		},
		writeByte(_region, offset, value) {
			const sent = uart.write(offset, value);
			if (sent >= 0) send(sent);
			uart.sync();
			invite();
		},
		reset() {
			uart.sync();
		},
	});
}

/** Moves bytes between the UART's rings and its host side. */
function serial16550Back(
	config: Serial16550Config,
	state: FieldsView<Serial16550Fields>,
	services: BackServices,
): SerialBack {
	const uart = new Uart(state, services.line('interrupt'));
	const waitForRts = config.waitForRts ?? false;
	return createSerialBack(config.backend, services.reactor, {
		output: uart.transmit,
		sent: () => services.locked(() => uart.sync()),
		discarded: (count, errno) => {
			services.locked(() => {
				state.txDiscarded += count;
				if (errno !== 0) state.hostErrno = errno;
			});
		},
		connection: (connected) => {
			services.locked(() => {
				uart.setConnected(connected);
				uart.sync();
			});
		},
		inputRoom: () =>
			services.locked(() => {
				const room = uart.wantsInput(waitForRts) ? uart.receive.space : 0;
				state.inputWaiting = room === 0 ? 1 : 0;
				return room;
			}),
		input: (bytes) => {
			services.locked(() => {
				state.rxBytes += uart.receive.write(bytes);
				uart.sync();
			});
		},
	});
}
