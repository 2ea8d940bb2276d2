export type {CpuidEntry} from './cpuid-entry.ts';
export type {CpuidTopology} from './cpuid-topology.ts';
export {cpuVendor, guestCpuid, isAmdHost, physicalAddressBits} from './guest-cpuid.ts';
export {type KvmFeature, kvmFeatures, showsKvmclock} from './kvm-features.ts';
export type {CpuidOptions, CpuidRule} from './policy.ts';
export {missingNeeds, needsOf, type ProcessorNeeds, processorNeeds} from './processor-needs.ts';
export {cpuidRules} from './rules.ts';
