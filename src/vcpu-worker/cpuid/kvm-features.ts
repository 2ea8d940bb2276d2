import type {CpuidEntry} from './cpuid-entry.ts';
import {Leaf} from './leaves.ts';

/** A KVM paravirtual feature: bit of 40000001 EAX (KVM, Documentation/virt/kvm/x86/cpuid.rst). */
export interface KvmFeature {
	readonly name: string;
	readonly bit: number;
	/** Decides whether the guest sees what KVM offers. `hypercall`: only where hypercalls work. `extended`: set by option. */
	readonly policy: 'offer' | 'hide' | 'hypercall' | 'extended';
	readonly reason: string;
}

const pageReady =
	'a page fault in flight when a machine is paused for a snapshot would leave the restored guest waiting for a ' +
	'notice that never comes';
const encryptedGuestsOnly = 'it asks the VMM to convert memory of encrypted guests, which there are none of';

/** Every feature that is known. Bits that are not listed are hidden. */
export const kvmFeatures: readonly KvmFeature[] = [
	{name: 'CLOCKSOURCE', bit: 0, policy: 'offer', reason: 'kvmclock needs no calibration and survives a change of host'},
	{name: 'NOP_IO_DELAY', bit: 1, policy: 'offer', reason: 'delay writes to port 80 cost an exit each'},
	{name: 'MMU_OP', bit: 2, policy: 'hide', reason: 'it left KVM in 2015'},
	{name: 'CLOCKSOURCE2', bit: 3, policy: 'offer', reason: 'kvmclock at the MSRs that guests prefer'},
	{name: 'ASYNC_PF', bit: 4, policy: 'hide', reason: pageReady},
	{name: 'STEAL_TIME', bit: 5, policy: 'offer', reason: 'guests account for time they were ready but not running'},
	{name: 'PV_EOI', bit: 6, policy: 'offer', reason: 'it saves the exit at the end of an interrupt'},
	{name: 'PV_UNHALT', bit: 7, policy: 'hypercall', reason: 'a contended lock halts and is woken by a hypercall'},
	{name: 'PV_TLB_FLUSH', bit: 9, policy: 'offer', reason: 'vCPUs that do not run are flushed on entry, without an IPI'},
	{name: 'ASYNC_PF_VMEXIT', bit: 10, policy: 'hide', reason: pageReady},
	{name: 'PV_SEND_IPI', bit: 11, policy: 'hypercall', reason: 'one hypercall sends an IPI to many'},
	{
		name: 'POLL_CONTROL',
		bit: 12,
		policy: 'offer',
		reason: 'a guest that polls by itself turns off polling by the host',
	},
	{
		name: 'PV_SCHED_YIELD',
		bit: 13,
		policy: 'hypercall',
		reason: 'the sender of an IPI yields to a receiver not running',
	},
	{name: 'ASYNC_PF_INT', bit: 14, policy: 'hide', reason: pageReady},
	{
		name: 'MSI_EXT_DEST_ID',
		bit: 15,
		policy: 'extended',
		reason:
			'the VMM, not KVM, understands the 15-bit destinations; without them Linux leaves APIC ids from 255 on unused',
	},
	{name: 'HC_MAP_GPA_RANGE', bit: 16, policy: 'hide', reason: encryptedGuestsOnly},
	{name: 'MIGRATION_CONTROL', bit: 17, policy: 'hide', reason: encryptedGuestsOnly},
	{name: 'CLOCKSOURCE_STABLE', bit: 24, policy: 'offer', reason: 'kvmclock needs no checks between processors'},
];

/** KVM's clock, at either place. */
const clockBits = 0b1001;

/** True where a guest to which CPUID answers so is told of KVM's clock. */
export const showsKvmclock = (cpuid: readonly CpuidEntry[]): boolean =>
	cpuid.some(({function: leaf, eax}) => leaf === Leaf.kvmFeatures && (eax & clockBits) !== 0);

/** Facts that decide about features beyond their own policy. */
export interface KvmFeatureOptions {
	readonly hypercalls: boolean;
	readonly extendedDestinations: boolean;
}

/** The features of 40000001 EAX that the guest sees of those that KVM offers. */
export function maskKvmFeatures(offered: number, options: KvmFeatureOptions): number {
	let features = 0;
	for (const {bit, policy} of kvmFeatures) {
		const mask = 1 << bit;
		if (policy === 'extended') features |= options.extendedDestinations ? mask : 0;
		else if (policy === 'offer' || (policy === 'hypercall' && options.hypercalls)) features |= offered & mask;
	}
	return features >>> 0;
}
