import {type InterruptController, pitReplacedInput} from '#devices/interrupts';
import {setPitReplaced} from './chips.ts';
import {setGsiRouting} from './interrupts.ts';
import type {Partition} from './partition.ts';

/** The kernel's interrupt controllers (PIC and I/O APIC) as the inputs that device lines drive. */
export function interruptController(partition: Partition): InterruptController {
	return {
		setLine: (input, asserted) => {
			if (input === pitReplacedInput) setPitReplaced(partition.fd, asserted);
			else partition.irqLine(input, asserted ? 1 : 0);
		},
		messages: {
			send: (addressLow, addressHigh, data) => void partition.signalMsi(addressLow, addressHigh, data),
			setRoutes: (routes) =>
				setGsiRouting(
					partition.fd,
					routes.map(({input, ...message}) => ({kind: 'msi', gsi: input, ...message})),
				),
		},
	};
}
