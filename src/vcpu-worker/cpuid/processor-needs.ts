import {mapOf, record, textUpTo, type ValueOf, wholeNumber} from '#support/saved-state';
import type {CpuidEntry} from './cpuid-entry.ts';
import {cpuVendor, physicalAddressBits} from './guest-cpuid.ts';
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
	[Leaf.structuredFeatures, 1, 'edx'],
	[Leaf.structuredFeatures, 2, 'edx'],
	[Leaf.xsave, 1, 'eax'],
	[Leaf.kvmFeatures, 0, 'eax'],
	[Leaf.extendedFeatures, 0, 'ecx'],
	[Leaf.extendedFeatures, 0, 'edx'],
	[Leaf.addressSizes, 0, 'ebx'],
	[Leaf.extendedFeatures2, 0, 'eax'],
];

const wordName = (leaf: number, subleaf: number, register: CpuidRegister) =>
	`CPUID.${leaf.toString(16)}.${subleaf}:${register.toUpperCase()}`;

const find = (entries: readonly CpuidEntry[], leaf: number, subleaf = 0) =>
	entries.find((entry) => entry.function === leaf && entry.index === subleaf);
const bitsOf = (word: number) => Array.from({length: 32}, (_, bit) => bit).filter((bit) => (word >>> bit) & 1);

/** XCR0 has 63 components, of which the first two have fixed places. */
const componentCount = 63;
const firstPlaced = 2;

/** Names of this form, which are shown to a person. */
const namesLike = (form: RegExp) => ({
	name: (name: string) => name,
	parse: (name: string) => (form.test(name) ? name : undefined),
});

/** Parts that a processor must have for a guest to which CPUID has shown them. */
export const processorNeeds = record({
	/** The maker's name: features are not all that makers differ in. */
	vendor: textUpTo(12),
	/** Feature bits by the register that CPUID answers them in, such as `CPUID.7.0:EBX`. */
	features: mapOf(namesLike(/^CPUID\.[0-9a-f]{1,8}\.\d:E[A-D]X$/), wholeNumber(0xffff_ffff), 2 * featureWords.length),
	/** State components of XSAVE by their bit in XCR0, and where each lies in an image. */
	xsave: mapOf(namesLike(/^\d{1,2}$/), wholeNumber(0xffff_ffff), componentCount),
	/** Width of guest-physical addresses. */
	addressBits: wholeNumber(52),
});
export type ProcessorNeeds = ValueOf<typeof processorNeeds>;

/** The needs of a guest to which CPUID answers so. */
export function needsOf(cpuid: readonly CpuidEntry[]): ProcessorNeeds {
	const {eax = 0, edx = 0} = find(cpuid, Leaf.xsave) ?? {};
	const present = [...bitsOf(eax), ...bitsOf(edx).map((bit) => bit + 32)].filter((bit) => bit < componentCount);
	return {
		vendor: cpuVendor(cpuid),
		features: new Map(
			featureWords.map(([leaf, subleaf, register, ignored = 0]) => [
				wordName(leaf, subleaf, register),
				((find(cpuid, leaf, subleaf)?.[register] ?? 0) & ~ignored) >>> 0,
			]),
		),
		// EBX of a component's subleaf (Intel SDM vol. 1, 13.4.3).
		xsave: new Map(
			present.map((bit) => [String(bit), bit < firstPlaced ? 0 : (find(cpuid, Leaf.xsave, bit)?.ebx ?? 0)]),
		),
		addressBits: physicalAddressBits(cpuid),
	};
}

/**
 * Names, for a person, the needs that `offered` does not meet: features as the manuals write them, such as
 * `CPUID.7.0:EBX[16]`.
 */
export function missingNeeds(needs: ProcessorNeeds, offered: readonly CpuidEntry[]): string[] {
	const has = needsOf(offered);
	if (needs.vendor !== has.vendor) return [`a processor of ${JSON.stringify(needs.vendor)}`];
	return [
		...[...needs.features].flatMap(([name, word]) =>
			bitsOf(word & ~(has.features.get(name) ?? 0)).map((bit) => `${name}[${bit}]`),
		),
		...[...needs.xsave]
			.filter(([component, offset]) => has.xsave.get(component) !== offset)
			.map(([component, offset]) => `XSAVE component ${component} at offset ${offset}`),
		...(needs.addressBits > has.addressBits ? [`physical addresses of ${needs.addressBits} bits`] : []),
	];
}
