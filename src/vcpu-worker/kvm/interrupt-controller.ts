import {type GsiRoute, GsiTable, type InterruptController, pitReplacedInput} from '#devices/interrupts';
import {setPitReplaced} from './chips.ts';
import type {KvmPartitionHandle} from './handles.ts';
import {defaultRoutes, type GsiRoute as KvmRoute, setGsiRouting} from './interrupts.ts';
import {KvmVm} from './kvm-vm.ts';

/** The kernel's interrupt controllers (PIC and I/O APIC) as the inputs that device lines drive, and its routes. */
export function interruptController({vmFd, gsis, irqchip}: KvmPartitionHandle): InterruptController {
	const vm = KvmVm.fromFd(vmFd);
	const pins: readonly KvmRoute[] = irqchip === 'kernel' ? defaultRoutes() : [];
	const apply = (routes: readonly GsiRoute[]) => setGsiRouting(vmFd, [...pins, ...routes.map(kvmRoute)]);
	return {
		// The kernel's PIC and I/O APIC keep what an edge has requested when the input falls.
		rise: (input) => {
			vm.irqLine(input, 0);
			vm.irqLine(input, 1);
		},
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

/** Address bit 4 says that an IOMMU is to look the message up (Intel VT-d 5.1.2.2); there is none. */
const remappable = 1 << 4;
/** Address bits 11:5: bits 14:8 of the destination. */
const extendedMask = 0xfe0;
const toHighHalf = 3;

/**
 * The upper half of a message's address as KVM takes it (KVM_X2APIC_API_USE_32BIT_IDS: bits 31:8 are those of the APIC id),
 * for a message whose address may carry bits 14:8 of the APIC id in its bits 11:5: MSI_EXT_DEST_ID in KVM's
 * Documentation/virt/kvm/x86/cpuid.rst. Without 32-bit ids KVM looks at neither.
 */
export function extendedDestination(addressLow: number, addressHigh: number): number {
	if (addressHigh !== 0 || (addressLow & remappable) !== 0) return addressHigh;
	return (addressLow & extendedMask) << toHighHalf;
}
