import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {Component, physicalAddressBits, xsaveAreaBytes} from '#vcpu-worker/software/state';

/** Bits of a register by their numbers. */
const bitsOf = (features: Readonly<Record<string, number>>): number =>
	Object.values(features).reduce((sum, bit) => (sum | (1 << bit)) >>> 0, 0);

/** The maker whose results we follow where manuals leave them open: see guide/processor.md. */
const vendor = {ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163} as const;
/** Family 15, model 107, stepping 1: what QEMU's `qemu64` has, a processor for which kernels know no workaround that matters here. */
const signature = 0x0006_0fb1;

/** Features by the leaf and register that announce them (AMD APM volume 3, appendix E; Intel SDM volume 2, CPUID). */
const features = {
	/** Leaf 1. */
	edx1: {
		FPU: 0,
		VME: 1,
		DE: 2,
		PSE: 3,
		TSC: 4,
		MSR: 5,
		PAE: 6,
		MCE: 7,
		CX8: 8,
		APIC: 9,
		SEP: 11,
		MTRR: 12,
		PGE: 13,
		MCA: 14,
		CMOV: 15,
		PAT: 16,
		PSE36: 17,
		CLFSH: 19,
		MMX: 23,
		FXSR: 24,
		SSE: 25,
		SSE2: 26,
	},
	ecx1: {
		SSE3: 0,
		SSSE3: 9,
		CX16: 13,
		SSE41: 19,
		SSE42: 20,
		X2APIC: 21,
		MOVBE: 22,
		POPCNT: 23,
		TSC_DEADLINE: 24,
		XSAVE: 26,
		RDRAND: 30,
	},
	/** Leaf 7, subleaf 0. */
	ebx7: {FSGSBASE: 0, SMEP: 7, ERMS: 9, RDSEED: 18, SMAP: 20, CLFLUSHOPT: 23, CLWB: 24},
	ecx7: {UMIP: 2},
	/** Leaf D, subleaf 1. */
	eaxd1: {XSAVEOPT: 0, XSAVEC: 1, XGETBV1: 2, XSAVES: 3},
	/** Leaf 80000001. */
	edx8: {SYSCALL: 11, NX: 20, PAGE1GB: 26, RDTSCP: 27, LM: 29},
	ecx8: {LAHF: 0, LZCNT: 5, PREFETCHW: 8},
	/** Leaf 80000007. */
	edx87: {INVARIANT_TSC: 8},
	/** Leaf 40000001 (Linux: Documentation/virt/kvm/x86/cpuid.rst). */
	kvm: {CLOCKSOURCE: 0, NOP_IO_DELAY: 1, CLOCKSOURCE2: 3, PV_UNHALT: 7, PV_SEND_IPI: 11, CLOCKSOURCE_STABLE: 24},
} as const;

const brand = 'OpenVMM software processor';
const linearAddressBits = 48;
/** Size of a cache line in units of 8 bytes, as CLFLUSH's is told. */
const flushLine = 8 << 8;

const leaf = (
	number: number,
	registers: Partial<Record<'eax' | 'ebx' | 'ecx' | 'edx', number>>,
	index = 0,
): CpuidEntry => ({
	function: number,
	index,
	significantIndex: number === 7 || number === 0xb || number === 0xd,
	eax: 0,
	ebx: 0,
	ecx: 0,
	edx: 0,
	...registers,
});

/** Three leaves of 16 characters each. */
function brandLeaves(): CpuidEntry[] {
	const text = Buffer.alloc(48);
	text.write(brand, 'latin1');
	return [0, 1, 2].map((part) => {
		const word = (index: number) => text.readUInt32LE(part * 16 + index * 4);
		return leaf(0x8000_0002 + part, {eax: word(0), ebx: word(1), ecx: word(2), edx: word(3)});
	});
}

/** Answers of CPUID before any policy: what the processor has. */
export const offeredCpuid: readonly CpuidEntry[] = [
	leaf(0, {eax: 0xd, ...vendor}),
	leaf(1, {eax: signature, ebx: flushLine, ecx: bitsOf(features.ecx1), edx: bitsOf(features.edx1)}),
	leaf(7, {ebx: bitsOf(features.ebx7), ecx: bitsOf(features.ecx7)}),
	leaf(0xb, {}),
	leaf(0xd, {eax: Number(Component.all), ebx: xsaveAreaBytes, ecx: xsaveAreaBytes}),
	leaf(0xd, {eax: bitsOf(features.eaxd1), ebx: xsaveAreaBytes}, 1),
	leaf(0x4000_0000, {}),
	leaf(0x4000_0001, {eax: bitsOf(features.kvm)}),
	leaf(0x8000_0000, {eax: 0x8000_0008, ...vendor}),
	leaf(0x8000_0001, {eax: signature, ecx: bitsOf(features.ecx8), edx: bitsOf(features.edx8)}),
	...brandLeaves(),
	leaf(0x8000_0007, {edx: bitsOf(features.edx87)}),
	leaf(0x8000_0008, {eax: physicalAddressBits | (linearAddressBits << 8)}),
];
