export type {CpuidEntry} from './cpuid-entry.ts';
export type {CpuidTopology} from './cpuid-topology.ts';
export {cpuVendor, guestCpuid, isAmdHost, physicalAddressBits} from './guest-cpuid.ts';
export {type KvmFeature, kvmFeatures} from './kvm-features.ts';
export {missingFeatures} from './missing-features.ts';
export type {CpuidOptions, CpuidRule} from './policy.ts';
export {cpuidRules} from './rules.ts';
