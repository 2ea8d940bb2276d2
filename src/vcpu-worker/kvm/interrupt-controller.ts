import {type InterruptController, pitReplacedInput} from '#devices/interrupts';
import {setPitReplaced} from './chips.ts';
import {extendedDestination} from './extended-destination.ts';
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
			send: (low, high, data) => void partition.signalMsi(low, extendedDestination(low, high), data),
			setRoutes: (routes) =>
				setGsiRouting(
					partition.fd,
					routes.map(({input, addressLow, addressHigh, data}) => ({
						kind: 'msi',
						gsi: input,
						addressLow,
						addressHigh: extendedDestination(addressLow, addressHigh),
						data,
					})),
				),
		},
	};
}
