import {mapOf, record, textUpTo, type ValueOf, wholeNumber} from '#support/saved-state';
import type {CpuidEntry} from './cpuid-entry.ts';
import {bitInWords, featureWords, wordName} from './feature-table.ts';
import {Leaf} from './leaves.ts';
import {cpuVendor, physicalAddressBits} from './processor-facts.ts';

/** Bits that follow what the guest has written: CR4.OSXSAVE and PKE, the local APIC's base. */
const live: Readonly<Record<string, number>> = {
	'CPUID.1.0:ECX': 1 << 27,
	'CPUID.1.0:EDX': 1 << 9,
	'CPUID.7.0:ECX': 1 << 4,
};

const find = (entries: readonly CpuidEntry[], leaf: number, subleaf = 0) =>
	entries.find((entry) => entry.function === leaf && entry.index === subleaf);

/** The numbers of the bits that are set. Each processor of a clone asks: of most words none is. */
function bitsOf(word: number): number[] {
	const bits: number[] = [];
	for (let bit = 0, left = word >>> 0; left !== 0; bit++, left >>>= 1) if ((left & 1) !== 0) bits.push(bit);
	return bits;
}

/** Words of features by their names, and the bits of each that count. */
const words = featureWords.map((word) => {
	const name = wordName(word);
	return {...word, name, mask: ~(live[name] ?? 0)};
});

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
			words.map(({leaf, subleaf, register, name, mask}) => [
				name,
				((find(cpuid, leaf, subleaf)?.[register] ?? 0) & mask) >>> 0,
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
 * `CPUID.7.0:EBX[16] (avx512f)`.
 */
export function missingNeeds(needs: ProcessorNeeds, offered: readonly CpuidEntry[]): string[] {
	const has = needsOf(offered);
	if (needs.vendor !== has.vendor) return [`a processor of ${JSON.stringify(needs.vendor)}`];
	return [
		...[...needs.features].flatMap(([name, word]) =>
			bitsOf(word & ~(has.features.get(name) ?? 0)).map((bit) => bitInWords(name, bit)),
		),
		...[...needs.xsave]
			.filter(([component, offset]) => has.xsave.get(component) !== offset)
			.map(([component, offset]) => `XSAVE component ${component} at offset ${offset}`),
		...(needs.addressBits > has.addressBits ? [`physical addresses of ${needs.addressBits} bits`] : []),
	];
}
