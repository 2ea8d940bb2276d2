import type {CpuidEntry} from './cpuid-entry.ts';
import {announced} from './feature-table.ts';
import {Leaf} from './leaves.ts';

/** State components of XSAVE by the feature that they belong to (Intel SDM vol. 1, 13.1). x87 and SSE always are. */
const components: Readonly<Record<string, readonly number[]>> = {
	avx: [2],
	mpx: [3, 4],
	avx512f: [5, 6, 7],
	intel_pt: [8],
	pku: [9],
	enqcmd: [10],
	shstk: [11, 12],
	uintr: [14],
	arch_lbr: [15],
	amx_tile: [17, 18],
};
const always = 0b11;
/** The legacy region and the header. */
const leastBytes = 576;

/** Leaf D for the features that the other leaves show: without components of others, and not there without XSAVE. */
export function fittingXsaveLeaves(entries: readonly CpuidEntry[]): CpuidEntry[] {
	const has = new Set(announced(entries));
	if (!has.has('xsave')) return entries.filter(({function: leaf}) => leaf !== Leaf.xsave);
	const mask = Object.entries(components)
		.filter(([name]) => has.has(name))
		.reduce((sum, [, bits]) => bits.reduce((all, bit) => all | (1 << bit), sum), always);
	const bytes = entries
		.filter(
			({function: leaf, index, ecx}) => leaf === Leaf.xsave && index > 1 && isThere(index, mask) && (ecx & 1) === 0,
		)
		.reduce((most, {eax, ebx}) => Math.max(most, ebx + eax), leastBytes);
	return entries.flatMap((entry): CpuidEntry[] => {
		if (entry.function !== Leaf.xsave) return [entry];
		if (entry.index === 0) return [{...entry, eax: entry.eax & mask, ebx: leastBytes, ecx: bytes, edx: 0}];
		if (entry.index === 1) return [{...entry, ecx: has.has('xsaves') ? entry.ecx & mask : 0, edx: 0}];
		return isThere(entry.index, mask) ? [entry] : [];
	});
}

const isThere = (component: number, mask: number): boolean => component < 32 && ((mask >>> component) & 1) === 1;
