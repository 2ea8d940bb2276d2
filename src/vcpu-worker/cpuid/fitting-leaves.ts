import type {CpuidEntry} from './cpuid-entry.ts';
import {announced} from './feature-table.ts';
import {Leaf} from './leaves.ts';
import {fittingXsaveLeaves} from './xsave-leaves.ts';

/** Leaves that describe a feature, by its name (Intel SDM vol. 2, CPUID). */
const describing: Readonly<Record<string, readonly number[]>> = {
	intel_pt: [Leaf.processorTrace],
	amx_tile: [Leaf.tiles, Leaf.tileMultiply],
};
/** Width of linear addresses with four levels of page tables, and with five (Intel SDM vol. 3, 4.5). */
const linearBits = {four: 48, five: 57} as const;

/** Numbers of the leaves that describe features. */
export const describingLeaves = (features: ReadonlySet<string>): readonly number[] =>
	Object.entries(describing).flatMap(([name, leaves]) => (features.has(name) ? leaves : []));

/** Leaves that follow from features, fit for those that the others show. */
export function fittingLeaves(entries: readonly CpuidEntry[]): CpuidEntry[] {
	const has = new Set(announced(entries));
	const gone = new Set(Object.values(describing).flat());
	for (const leaf of describingLeaves(has)) gone.delete(leaf);
	const bits = has.has('la57') ? linearBits.five : linearBits.four;
	return fittingXsaveLeaves(entries)
		.filter(({function: leaf}) => !gone.has(leaf))
		.map((entry) =>
			entry.function === Leaf.addressSizes ? {...entry, eax: (entry.eax & ~0xff00) | (bits << 8)} : entry,
		);
}
