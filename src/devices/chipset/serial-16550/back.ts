import type {BackServices} from '#devices/device';
import {createSerialBack, type SerialBack} from '#devices/serial-backends';
import type {FieldsView} from '#support/wire';
import type {Serial16550Config} from './handle.ts';
import type {Serial16550Fields} from './state.ts';
import {Uart} from './uart.ts';

/** Moves bytes between the UART's rings and its host side. */
export function serial16550Back(
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
