import {errorTable} from '#support/errors';

/** What a host's processor cannot give a guest. */
export const cpuidError = errorTable({
	CPUID_NESTED_UNSUPPORTED: (c: {feature: string}) => ({
		message: `Nested virtualization was asked for, but this host's KVM does not offer ${c.feature} to guests`,
		remedy: 'Load the kvm module with nested=1, or leave nested virtualization out',
	}),
});
