import {byteFront} from '#devices/chipset/byte-registers';
import type {DeviceFront, DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import type {Serial16550Config} from './handle.ts';
import {receiveCapacity, type Serial16550Fields} from './state.ts';
import {Uart} from './uart.ts';

/** The UART's registers on one thread. */
export function serial16550Front(
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
