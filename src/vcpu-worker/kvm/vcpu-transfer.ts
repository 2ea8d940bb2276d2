import {missingFeatures} from '#vcpu-worker/cpuid';
import {kvmError} from './errors.ts';
import {getMsrs, type Msr} from './msrs.ts';
import type {VcpuState} from './saved-vcpu.ts';
import {readTsc, restoreTsc} from './tsc.ts';
import type {KvmVcpu} from './vcpu.ts';
import {restoreVcpu, type SnapshotOptions, saveVcpu} from './vcpu-snapshot.ts';

/** Everything of a vCPU that a snapshot keeps. The vCPU is stopped and its last exit complete. */
export const readVcpuState = (vcpu: KvmVcpu, options: SnapshotOptions): VcpuState => ({
	snapshot: saveVcpu(vcpu, options),
	tsc: readTsc(vcpu.fd),
	cpuid: vcpu.getCpuid(),
});

/**
 * Gives a vCPU that has not run yet a state from another process, perhaps of another host.
 * @param shift - see {@link restoreTsc}, which gives what this returns
 * @throws KVM_CPU_FEATURES_MISSING, KVM_TSC_FREQUENCY, KVM_MSR_REFUSED, KVM_IOCTL_FAILED
 */
export function writeVcpuState(
	vcpu: KvmVcpu,
	{snapshot, tsc, cpuid}: VcpuState,
	options: SnapshotOptions,
	shift?: bigint,
): bigint {
	const missing = missingFeatures(cpuid, options.cpuid);
	if (missing.length > 0) throw kvmError('KVM_CPU_FEATURES_MISSING', {missing});
	vcpu.setCpuid(cpuid);
	// The APIC timer's deadline is a value of the counter.
	const change = restoreTsc(vcpu.fd, tsc, shift);
	const refused = restoreVcpu(vcpu, snapshot, options);
	checkRefused(vcpu, snapshot.msrs, refused);
	return change;
}

/** Registers that cannot be written do not matter where they hold the saved value anyway. */
function checkRefused(vcpu: KvmVcpu, saved: readonly Msr[], refused: readonly number[]): void {
	const values = new Map(saved.map(({index, data}) => [index, data]));
	const {done, failed} = getMsrs(vcpu.fd, refused);
	const differ = done.filter(({index, data}) => data !== values.get(index)).map(({index}) => index);
	const msrs = [...differ, ...failed].map((index) => `0x${index.toString(16)}`);
	if (msrs.length > 0) throw kvmError('KVM_MSR_REFUSED', {msrs});
}
