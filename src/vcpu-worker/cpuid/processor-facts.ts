import type {CpuidEntry} from './cpuid-entry.ts';
import {announced} from './feature-table.ts';
import {Leaf} from './leaves.ts';

/** Vendors, as leaf 0 spells them in EBX, EDX, ECX. */
const amdVendors = ['AuthenticAMD', 'HygonGenuine'];

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

/** The answers, as plain data for a person. */
export const describeCpuid = (entries: readonly CpuidEntry[]) => ({
	vendor: cpuVendor(entries),
	addressBits: physicalAddressBits(entries),
	features: announced(entries).join(' '),
});

/** The leaves that name a processor for a person, of 16 characters each: at most 47 in all (Intel SDM vol. 2, CPUID, 80000002H to 80000004H). */
export function brandLeaves(name: string): CpuidEntry[] {
	const text = Buffer.alloc(48);
	text.write(name, 0, 47, 'latin1');
	return [0, 1, 2].map((part) => {
		const word = (index: number) => text.readUInt32LE(part * 16 + index * 4);
		const registers = {eax: word(0), ebx: word(1), ecx: word(2), edx: word(3)};
		return {function: Leaf.brand + part, index: 0, significantIndex: false, ...registers};
	});
}
