export {missingFeatures, modelsInWords} from './chosen-cpuid.ts';
export type {CpuidEntry} from './cpuid-entry.ts';
export type {CpuidTopology} from './cpuid-topology.ts';
export {
	announced,
	bitsOf,
	type CpuFeature,
	canonicalName,
	cpuFeature,
	cpuFeatures,
	featureNames,
	otherNames,
	withDependents,
	wordName,
} from './feature-table.ts';
export {guestCpuid} from './guest-cpuid.ts';
export {type KvmFeature, kvmFeatures, showsKvmclock} from './kvm-features.ts';
export {
	type CpuChoice,
	type CpuModel,
	type CpuModelName,
	cpuModelNames,
	cpuModels,
	decidedElsewhere,
	guestAddressBits,
	hostCpu,
} from './models.ts';
export type {CpuidOptions, CpuidRegister, CpuidRule} from './policy.ts';
export {brandLeaves, cpuVendor, describeCpuid, isAmdHost, physicalAddressBits} from './processor-facts.ts';
export {missingNeeds, needsOf, type ProcessorNeeds, processorNeeds} from './processor-needs.ts';
export {cpuidRules} from './rules.ts';
