import {errorTable} from '#support/errors';

/** Wishes that only KVM fulfils. */
export const softwareError = errorTable({
	SOFTWARE_HAS_NO_CHIPS: (_: Record<never, never>) => ({
		message: 'The software processor has no kernel under it that could have the PIC, the I/O APIC and the PIT',
		remedy: 'Leave out --irqchip kernel, or use --hypervisor kvm on a host that has /dev/kvm',
	}),
	SOFTWARE_MEMORY_TOO_LARGE: (c: {gpa: number}) => ({
		message: `RAM at 0x${c.gpa.toString(16)} is more than the software processor can reach: 16 GiB in all`,
		remedy: 'Ask for less with --memory, or use --hypervisor kvm on a host that has /dev/kvm',
	}),
});
