import type {CpuidBits, CpuidRegister} from './policy.ts';

/** CPUID leaves that the policy touches (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E; KVM, cpuid.rst). */
export const Leaf = {
	vendor: 0x0,
	features: 0x1,
	caches: 0x4,
	monitor: 0x5,
	structuredFeatures: 0x7,
	topology: 0xb,
	xsave: 0xd,
	sgx: 0x12,
	processorTrace: 0x14,
	tiles: 0x1d,
	tileMultiply: 0x1e,
	topologyV2: 0x1f,
	kvmSignature: 0x4000_0000,
	kvmFeatures: 0x4000_0001,
	extendedMaximum: 0x8000_0000,
	extendedFeatures: 0x8000_0001,
	brand: 0x8000_0002,
	powerManagement: 0x8000_0007,
	addressSizes: 0x8000_0008,
	extendedFeatures2: 0x8000_0021,
	svm: 0x8000_000a,
	amdCaches: 0x8000_001d,
	amdTopology: 0x8000_001e,
	memoryEncryption: 0x8000_001f,
	amdTopologyV2: 0x8000_0026,
} as const;

const bit = (leaf: number, register: CpuidRegister, n: number): CpuidBits => ({
	function: leaf,
	register,
	mask: (1 << n) >>> 0,
});

/** Feature bits that the policy touches. */
export const Bit = {
	monitor: bit(Leaf.features, 'ecx', 3),
	vmx: bit(Leaf.features, 'ecx', 5),
	x2apic: bit(Leaf.features, 'ecx', 21),
	tscDeadline: bit(Leaf.features, 'ecx', 24),
	hypervisor: bit(Leaf.features, 'ecx', 31),
	htt: bit(Leaf.features, 'edx', 28),
	sgx: bit(Leaf.structuredFeatures, 'ebx', 2),
	sgxLaunchControl: bit(Leaf.structuredFeatures, 'ecx', 30),
	ibrs: bit(Leaf.structuredFeatures, 'edx', 26),
	cmpLegacy: bit(Leaf.extendedFeatures, 'ecx', 1),
	svm: bit(Leaf.extendedFeatures, 'ecx', 2),
	topologyExtensions: bit(Leaf.extendedFeatures, 'ecx', 22),
	amdMonitorX: bit(Leaf.extendedFeatures, 'ecx', 29),
	amdIbrs: bit(Leaf.addressSizes, 'ebx', 14),
	amdStibp: bit(Leaf.addressSizes, 'ebx', 15),
	amdSsbd: bit(Leaf.addressSizes, 'ebx', 24),
	amdPsfd: bit(Leaf.addressSizes, 'ebx', 28),
} as const;
