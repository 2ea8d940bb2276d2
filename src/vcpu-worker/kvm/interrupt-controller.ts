import {type InterruptController, pitReplacedInput} from '#devices/interrupts';
import {setPitReplaced} from './chips.ts';
import {extendedDestination} from './extended-destination.ts';
import {setGsiRouting} from './interrupts.ts';
import type {KvmVm} from './kvm-vm.ts';

/** The kernel's interrupt controllers (PIC and I/O APIC) as the inputs that device lines drive. */
export function interruptController(vm: KvmVm): InterruptController {
	return {
		setLine: (input, asserted) => {
			if (input === pitReplacedInput) setPitReplaced(vm.fd, asserted);
			else vm.irqLine(input, asserted ? 1 : 0);
		},
		messages: {
			send: (low, high, data) => void vm.signalMsi(low, extendedDestination(low, high), data),
			setRoutes: (routes) =>
				setGsiRouting(
					vm.fd,
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
