import type {CpuidEntry} from './cpuid-entry.ts';
import type {CpuidTopology} from './cpuid-topology.ts';
import {Leaf} from './leaves.ts';
import {applyRules, type CpuidContext, type CpuidOptions} from './policy.ts';
import {cpuidRules} from './rules.ts';

/** Vendors, as leaf 0 spells them in EBX, EDX, ECX. */
const amdVendors = ['AuthenticAMD', 'HygonGenuine'];

/**
 * Gives the CPUID of one processor of the guest.
 * @param offered - see `ProcessorOffer`
 */
export function guestCpuid(
	offered: readonly CpuidEntry[],
	topology: CpuidTopology,
	options: CpuidOptions,
): CpuidEntry[] {
	const isAmd = isAmdHost(offered);
	const maxBasic = offered.find((entry) => entry.function === Leaf.vendor)?.eax ?? 0;
	const context: CpuidContext = {options, topology, isAmd, maxBasic, offered};
	return applyRules(cpuidRules, context);
}

/** The processor's vendor as leaf 0 spells it, such as `GenuineIntel`; empty when the leaf is missing. */
export function cpuVendor(entries: readonly CpuidEntry[]): string {
	const leaf = entries.find((entry) => entry.function === Leaf.vendor);
	if (leaf === undefined) return '';
	const text = new Uint8Array(Uint32Array.of(leaf.ebx, leaf.edx, leaf.ecx).buffer);
	return String.fromCharCode(...text);
}

/** The processor follows AMD where vendors differ. */
export function isAmdHost(entries: readonly CpuidEntry[]): boolean {
	return amdVendors.includes(cpuVendor(entries));
}

/** Width of guest-physical addresses in bits (80000008 EAX[7:0]); 36 where the leaf is missing. */
export function physicalAddressBits(entries: readonly CpuidEntry[]): number {
	const leaf = entries.find((entry) => entry.function === Leaf.addressSizes);
	return leaf === undefined ? 36 : leaf.eax & 0xff;
}
