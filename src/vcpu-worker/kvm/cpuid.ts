import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {ArgumentBuffer} from './argument-buffer.ts';
import {CpuidFlag} from './constants.ts';
import {KvmCpuid2, KvmCpuidEntry2} from './structs-vm.ts';

/** Most entries a list may have: `KVM_MAX_CPUID_ENTRIES` of the kernel. */
export const maxCpuidEntries = 256;

/** Memory for a `struct kvm_cpuid2` that holds `capacity` entries. */
export function cpuidBuffer(capacity = maxCpuidEntries): ArgumentBuffer {
	const buffer = new ArgumentBuffer(KvmCpuid2.size + capacity * KvmCpuidEntry2.size);
	buffer.with(KvmCpuid2, {nent: capacity});
	return buffer;
}

/** The entries of a `struct kvm_cpuid2`. */
export function readCpuid({view}: ArgumentBuffer): CpuidEntry[] {
	return Array.from({length: KvmCpuid2.read(view).nent}, (_, position) => {
		const entry = KvmCpuidEntry2.read(view, KvmCpuid2.size + position * KvmCpuidEntry2.size);
		const {flags, ...rest} = entry;
		return {...rest, significantIndex: (flags & CpuidFlag.SIGNIFCANT_INDEX) !== 0};
	});
}

/** The entries up to the last one that says anything: leaf 0 names a vendor, so that none is zero throughout. */
export function withoutUnused(entries: readonly CpuidEntry[]): CpuidEntry[] {
	const last = entries.findLastIndex(({function: leaf, eax, ebx, ecx, edx}) => (leaf | eax | ebx | ecx | edx) !== 0);
	return entries.slice(0, last + 1);
}

/** A `struct kvm_cpuid2` of these entries. */
export function writeCpuid(entries: readonly CpuidEntry[]): ArgumentBuffer {
	const buffer = cpuidBuffer(entries.length);
	for (const [position, entry] of entries.entries()) {
		const flags = entry.significantIndex ? CpuidFlag.SIGNIFCANT_INDEX : 0;
		KvmCpuidEntry2.write(buffer.view, KvmCpuid2.size + position * KvmCpuidEntry2.size, {...entry, flags});
	}
	return buffer;
}
