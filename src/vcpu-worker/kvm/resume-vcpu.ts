import type {GuestMemory} from '#devices/guest-memory';
import {unchecked} from '#support/trust';
import type {Resumption} from '#vcpu-worker/hypervisor';
import {Msr} from '#vcpu-worker/registers';
import {getMsrs, setMsrs} from './msrs.ts';
import {readTsc, restoreTsc} from './tsc.ts';
import {notifyPaused} from './vcpu-state.ts';

/**
 * Lets a vCPU go on after its guest stood still. Its counter, which ran on meanwhile, is set; its timer goes by the counter
 * again; and a guest with kvmclock learns of it (PVCLOCK_GUEST_STOPPED), so that its watchdogs do not bark.
 * @returns as {@link restoreTsc} does
 */
export function resumeVcpu(vcpuFd: number, {counter, shift, caughtUpNs}: Resumption, memory: GuestMemory): bigint {
	const change = restoreTsc(vcpuFd, {...readTsc(vcpuFd), value: counter}, shift);
	// KVM has turned the deadline into a moment of the host's time by the counter as it was.
	const armed = getMsrs(vcpuFd, [Msr.IA32_TSC_DEADLINE]).done.filter(({data}) => data !== 0n);
	setMsrs(vcpuFd, armed);
	if (caughtUpNs > 0) addStolenTime(vcpuFd, caughtUpNs, memory);
	notifyPaused(vcpuFd);
	return change;
}

/** Bits of MSR_KVM_STEAL_TIME: the guest has given a page, and where (Linux: Documentation/virt/kvm/x86/msr.rst). */
const stealTime = {enabled: 1n, address: ~0x3fn};

/**
 * Counts time that the vCPU did not run as stolen from it. Else a guest's scheduler takes the task that happened to run
 * for one that has used the processor all that time, and lets it wait until the others have had as much.
 */
function addStolenTime(vcpuFd: number, ns: number, memory: GuestMemory): void {
	const [msr] = getMsrs(vcpuFd, [Msr.KVM_STEAL_TIME]).done;
	if (msr === undefined || (msr.data & stealTime.enabled) === 0n) return;
	const at = Number(msr.data & stealTime.address);
	// The first field of struct kvm_steal_time. The guest says where: it may be no memory, which is its loss.
	const stolen = unchecked(memory.readBigU64(at));
	if (stolen !== undefined) memory.writeBigU64(at, stolen + BigInt(Math.round(ns)));
}
