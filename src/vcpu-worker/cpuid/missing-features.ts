import type {CpuidEntry} from './cpuid-entry.ts';
import {Leaf} from './leaves.ts';
import type {CpuidRegister} from './policy.ts';

/** Registers whose every bit is a feature (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E), and bits that follow CR4. */
const featureWords: readonly (readonly [leaf: number, subleaf: number, register: CpuidRegister, ignored?: number])[] = [
	[Leaf.features, 0, 'ecx', 1 << 27],
	[Leaf.features, 0, 'edx', 1 << 9],
	[Leaf.structuredFeatures, 0, 'ebx'],
	[Leaf.structuredFeatures, 0, 'ecx', 1 << 4],
	[Leaf.structuredFeatures, 0, 'edx'],
	[Leaf.structuredFeatures, 1, 'eax'],
	[Leaf.xsave, 0, 'eax'],
	[Leaf.xsave, 1, 'eax'],
	[Leaf.kvmFeatures, 0, 'eax'],
	[Leaf.extendedFeatures, 0, 'ecx'],
	[Leaf.extendedFeatures, 0, 'edx'],
	[Leaf.addressSizes, 0, 'ebx'],
];

const find = (entries: readonly CpuidEntry[], leaf: number, subleaf = 0) =>
	entries.find((entry) => entry.function === leaf && entry.index === subleaf);

const vendor = (entries: readonly CpuidEntry[]): string => {
	const {ebx = 0, edx = 0, ecx = 0} = find(entries, Leaf.vendor) ?? {};
	const name = Buffer.alloc(12);
	for (const [index, word] of [ebx, edx, ecx].entries()) name.writeUInt32LE(word >>> 0, index * 4);
	return name.toString('latin1');
};

/**
 * What a guest that was shown `wanted` would miss where `offered` is what there is: a processor of the same maker, and
 * every feature bit. Named as in the manuals, e.g. `CPUID.7.0:EBX[16]`.
 */
export function missingFeatures(wanted: readonly CpuidEntry[], offered: readonly CpuidEntry[]): string[] {
	const maker = vendor(wanted);
	if (maker !== vendor(offered)) return [`a processor of ${JSON.stringify(maker)}`];
	return featureWords.flatMap(([leaf, subleaf, register, ignored = 0]) => {
		const has = find(offered, leaf, subleaf)?.[register] ?? 0;
		const missing = (find(wanted, leaf, subleaf)?.[register] ?? 0) & ~has & ~ignored;
		const bits = Array.from({length: 32}, (_, bit) => bit).filter((bit) => (missing >>> bit) & 1);
		return bits.map((bit) => `CPUID.${leaf.toString(16)}.${subleaf}:${register.toUpperCase()}[${bit}]`);
	});
}
