import {type GsiRoute, GsiTable, type InterruptController, pitReplacedInput} from '#devices/interrupts';
import {setPitReplaced} from './chips.ts';
import {extendedDestination} from './extended-destination.ts';
import type {KvmPartitionHandle} from './handles.ts';
import {defaultRoutes, type GsiRoute as KvmRoute, setGsiRouting} from './interrupts.ts';
import {KvmVm} from './kvm-vm.ts';

/** The kernel's interrupt controllers (PIC and I/O APIC) as the inputs that device lines drive, and its routes. */
export function interruptController({vmFd, gsis, irqchip}: KvmPartitionHandle): InterruptController {
	const vm = KvmVm.fromFd(vmFd);
	const pins: readonly KvmRoute[] = irqchip === 'kernel' ? defaultRoutes() : [];
	const apply = (routes: readonly GsiRoute[]) => setGsiRouting(vmFd, [...pins, ...routes.map(kvmRoute)]);
	return {
		setLine: (input, asserted) => {
			if (input === pitReplacedInput) setPitReplaced(vmFd, asserted);
			else vm.irqLine(input, asserted ? 1 : 0);
		},
		messages: {
			send: (low, high, data) => void vm.signalMsi(low, extendedDestination(low, high), data),
			gsis: new GsiTable(gsis, apply),
		},
	};
}

const kvmRoute = ({gsi, addressLow, addressHigh, data}: GsiRoute): KvmRoute => ({
	kind: 'msi',
	gsi,
	addressLow,
	addressHigh: extendedDestination(addressLow, addressHigh),
	data,
});
