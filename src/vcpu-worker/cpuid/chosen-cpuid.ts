import type {CpuidEntry} from './cpuid-entry.ts';
import {
	announced,
	bitsOf,
	canonicalName,
	cpuFeature,
	type FeatureWord,
	featureWords,
	withBases,
	withDependents,
} from './feature-table.ts';
import {describingLeaves, fittingLeaves} from './fitting-leaves.ts';
import {Leaf} from './leaves.ts';
import {
	type CpuChoice,
	type CpuModel,
	cpuModelNames,
	cpuModels,
	guestAddressBits,
	hostCpu,
	modelFacts,
} from './models.ts';
import {type CpuidRegister, clearBits} from './policy.ts';
import {brandLeaves, isAmdHost, physicalAddressBits} from './processor-facts.ts';

type Answer = Pick<CpuidEntry, CpuidRegister>;

/** Highest leaves of a model without features that have further ones. */
const highest = {basic: Leaf.xsave, extended: Leaf.addressSizes} as const;
/** Leaves whose answers depend on the subleaf. */
const indexed: readonly number[] = [Leaf.structuredFeatures, Leaf.xsave];
/** A cache line of 64 bytes in leaf 1, as CLFLUSH's is told. */
const flushLine = 8 << 8;
/** Bits of 80000001 EDX that repeat those of leaf 1 EDX (AMD APM vol. 3, E.4.2). */
const copies = 0x0183_f3ff;

/** The features of a choice beyond the host's own, with what they do not exist without, by their names in the table. */
const wanted = ({model, with: more}: CpuChoice): readonly string[] => [
	...withBases([...((cpuModels[model] as CpuModel).features ?? []), ...more.map(canonicalName)]),
];

/** The names of all features that a choice hides. */
const hidden = ({without}: CpuChoice): Set<string> =>
	new Set(without.flatMap((name) => [...withDependents(canonicalName(name))]));

/** The same choice, which hides what nobody has asked for. */
function withoutUnasked(choice: CpuChoice, onRequest: readonly string[]): CpuChoice {
	const asked = new Set(wanted(choice));
	return {...choice, without: [...choice.without, ...onRequest.filter((name) => !asked.has(name))]};
}

/**
 * The part of an offer that a choice leaves, before the rest of the policy.
 * @param offered - see `ProcessorOffer`, as `onRequest`
 */
export function chosenCpuid(
	offered: readonly CpuidEntry[],
	given: CpuChoice,
	onRequest: readonly string[] = [],
): readonly CpuidEntry[] {
	const isHost = given.model === 'host';
	const choice = isHost ? withoutUnasked(given, onRequest) : given;
	if (isHost && choice.without.length === 0) return offered;
	const base = isHost ? offered : modelCpuid(offered, choice);
	return fittingLeaves(withoutHidden(base, choice));
}

/** The answers without what a choice hides. */
export function withoutHidden(entries: readonly CpuidEntry[], choice: CpuChoice): CpuidEntry[] {
	const names = [...hidden(choice)];
	if (names.length === 0) return [...entries];
	const bits = names.flatMap((name) => cpuFeature(name) ?? []).map(bitsOf);
	const copied = bits
		.filter(({function: leaf, register}) => leaf === Leaf.features && register === 'edx')
		.map((one) => ({...one, function: Leaf.extendedFeatures, mask: one.mask & copies}));
	return clearBits(entries, [...bits, ...copied]);
}

/**
 * Names the features that a choice needs and a guest would not find.
 * @param shown - CPUID's answers to the guest
 */
export function missingFeatures(choice: CpuChoice, shown: readonly CpuidEntry[]): string[] {
	const there = new Set([...announced(shown), ...hidden(choice)]);
	return wanted(choice).filter((name) => !there.has(name));
}

/** Says which models an offer has, and what the others lack of it, for a person. */
export function modelsInWords(offered: readonly CpuidEntry[]): string {
	const models = cpuModelNames.map((model) => {
		const choice = {...hostCpu, model};
		return {model, missing: missingFeatures(choice, chosenCpuid(offered, choice))};
	});
	const there = models.filter(({missing}) => missing.length === 0).map(({model}) => model);
	const others = models.filter(({missing}) => missing.length > 0);
	return [
		`--cpu can be ${there.join(', ')}`,
		...others.map(({model, missing}) => `${model} needs ${missing.join(', ')} beside`),
	].join('; ');
}

/** A model's answers: its features as far as they are offered, and nothing else that differs between hosts. */
function modelCpuid(offered: readonly CpuidEntry[], choice: CpuChoice): CpuidEntry[] {
	const has = new Set([...wanted(choice), ...modelFacts.paravirtual]);
	const isAmd = isAmdHost(offered);
	const signature = isAmd ? modelFacts.signature.amd : modelFacts.signature.intel;
	const own = (leaf: number, index = 0) => offered.find((entry) => entry.function === leaf && entry.index === index);
	const answer = (leaf: number, values: Partial<Answer> = {}, index = 0): CpuidEntry => ({
		function: leaf,
		index,
		significantIndex: indexed.includes(leaf),
		...{eax: 0, ebx: 0, ecx: 0, edx: 0},
		...Object.fromEntries(
			featureWords
				.filter((word) => word.leaf === leaf && word.subleaf === index)
				.map((word) => [word.register, (own(leaf, index)?.[word.register] ?? 0) & maskOf(word, has)]),
		),
		...values,
	});
	const {ebx, ecx, edx, eax: maxBasic} = own(Leaf.vendor) ?? answer(Leaf.vendor);
	const further = [1, 2].map((index) => answer(Leaf.structuredFeatures, {}, index)).filter(saysSomething);
	const second = [answer(Leaf.extendedFeatures2)].filter(saysSomething);
	const carried = describingLeaves(new Set(announced(offered).filter((name) => has.has(name))));
	return [
		answer(Leaf.vendor, {ebx, ecx, edx, eax: Math.min(maxBasic, Math.max(highest.basic, ...carried))}),
		answer(Leaf.features, {eax: signature, ebx: flushLine}),
		answer(Leaf.structuredFeatures, {eax: further.at(-1)?.index ?? 0}),
		...further,
		...offered
			.filter(({function: leaf}) => leaf === Leaf.xsave)
			.map((entry) => (entry.index === 1 ? answer(Leaf.xsave, {}, 1) : entry)),
		...offered.filter(({function: leaf}) => carried.includes(leaf)),
		answer(Leaf.kvmSignature),
		answer(Leaf.kvmFeatures),
		answer(Leaf.extendedMaximum, {ebx, ecx, edx, eax: second[0]?.function ?? highest.extended}),
		answer(Leaf.extendedFeatures, isAmd ? {eax: signature} : {}),
		...brandLeaves(`OpenVMM ${choice.model} processor`),
		answer(Leaf.powerManagement),
		answer(Leaf.addressSizes, {eax: guestAddressBits(physicalAddressBits(offered), choice)}),
		...second,
	];
}

const saysSomething = ({eax, ebx, ecx, edx}: Answer): boolean => (eax | ebx | ecx | edx) !== 0;

/** The bits of a word whose features are among these. */
const maskOf = ({bits}: FeatureWord, has: ReadonlySet<string>): number =>
	Object.entries(bits).reduce((mask, [name, bit]) => (has.has(name) ? (mask | (1 << bit)) >>> 0 : mask), 0);
