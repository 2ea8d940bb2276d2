import {errorTable} from '#support/errors';

const sameKind = 'Restore on a host with the same kind of processor as the snapshot was made on';

/** Reasons why a processor cannot be what was asked for, or have a state that is well-formed. */
export const vcpuError = errorTable({
	VCPU_NEEDS_MISSING: (c: {readonly missing: readonly string[]}) => ({
		message: `The saved guest uses what processors do not have here: ${c.missing.join(', ')}`,
		remedy: sameKind,
	}),
	VCPU_MSR_REFUSED: (c: {readonly msrs: readonly string[]}) => ({
		message: `The saved values of the model-specific registers ${c.msrs.join(', ')} are not taken here`,
		remedy: `${sameKind}, with the same hypervisor and kernel`,
	}),
	CPU_COUNTER_FREQUENCY: (c: {readonly khz: number; readonly hostKhz: number}) => ({
		message: `--cpu tsc_khz=${c.khz} asks for time-stamp counters that KVM cannot give on this host: its own run at ${c.hostKhz} kHz, and it cannot scale them to that`,
		remedy: `Ask for tsc_khz=${c.hostKhz} or leave it out, use a host that scales the counter (VT-x and SVM of recent years), or use --hypervisor software, whose counters run at any frequency`,
	}),
	VCPU_COUNTER_FREQUENCY: (c: {readonly khz: number; readonly hostKhz: number}) => ({
		message: `The processors' time-stamp counters are to run at ${c.khz} kHz, this host's run at ${c.hostKhz} kHz, and it cannot scale them`,
		remedy: `Use a host that scales the counter (VT-x and SVM of recent years), or start the guest with --cpu MODEL,tsc_khz=${c.hostKhz} wherever it begins`,
	}),
});
