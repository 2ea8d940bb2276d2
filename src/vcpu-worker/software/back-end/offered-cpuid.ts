import {brandLeaves, type CpuidEntry, type CpuidRegister, cpuFeature} from '#vcpu-worker/cpuid';
import {Component, physicalAddressBits, xsaveAreaBytes, xsaveHeaderEnd, ymmArea} from '#vcpu-worker/software/state';

/** The maker whose results we follow where manuals leave them open: see guide/processor.md. */
const vendor = {ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163} as const;
/** Family 15, model 107, stepping 1: what QEMU's `qemu64` has, a processor for which kernels know no workaround that matters here. */
const signature = 0x0006_0fb1;

/** Features that a guest finds by default where the host rounds a product with a sum once: programs that find AVX2 take FMA for as fast as that. */
export const wholeLevel: readonly string[] = ['avx', 'avx2', 'f16c', 'fma', 'bmi1', 'bmi2'];

/**
 * Features that can be announced, by their names in `cpuFeatures`. Without TSC_ADJUST Linux watches the counter by another clock, and takes
 * a host's delay between two reads for a fault of it.
 */
const offeredFeatures: readonly string[] = [
	...'fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2'.split(' '),
	...'pni pclmulqdq ssse3 cx16 pcid sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave rdrand'.split(' '),
	...'fsgsbase tsc_adjust smep erms invpcid rdseed smap clflushopt clwb umip adx sha_ni'.split(' '),
	...'xsaveopt xsavec xgetbv1 xsaves syscall nx pdpe1gb rdtscp lm lahf_lm abm 3dnowprefetch invtsc'.split(' '),
	...'kvm_clocksource kvm_nop_io_delay kvm_clocksource2 kvm_steal_time kvm_pv_unhalt kvm_pv_send_ipi'.split(' '),
	'kvm_clocksource_stable',
	...wholeLevel,
];

/** Features that the processor has, or has in part, and does not announce: why. */
export const keptBack: Readonly<Record<string, string>> = {
	monitor: 'MWAIT ends at once: a guest that waits by it would not leave the host processor to others',
	la57: 'page tables of five levels cost a walk more, for addresses that no guest here needs',
	rdpid: 'RDTSCP does the same',
};

const brand = 'OpenVMM software processor';
const linearAddressBits = 48;
/** Size of a cache line in units of 8 bytes, as CLFLUSH's is told. */
const flushLine = 8 << 8;

const offeredBits = offeredFeatures.flatMap((name) => cpuFeature(name) ?? []);

/** The features of one register. */
const wordOf = (number: number, index: number, register: CpuidRegister): number =>
	offeredBits
		.filter(({word}) => word.leaf === number && word.subleaf === index && word.register === register)
		.reduce((word, {bit}) => (word | (1 << bit)) >>> 0, 0);

const leaf = (number: number, registers: Partial<Record<CpuidRegister, number>>, index = 0): CpuidEntry => ({
	function: number,
	index,
	significantIndex: number === 7 || number === 0xb || number === 0xd,
	eax: wordOf(number, index, 'eax'),
	ebx: wordOf(number, index, 'ebx'),
	ecx: wordOf(number, index, 'ecx'),
	edx: wordOf(number, index, 'edx'),
	...registers,
});

/** Answers of CPUID before any policy. */
export const offeredCpuid: readonly CpuidEntry[] = [
	leaf(0, {eax: 0xd, ...vendor}),
	leaf(1, {eax: signature, ebx: flushLine}),
	leaf(7, {}),
	leaf(0xb, {}),
	// What EBX says of the enabled components is of the processor as it runs.
	leaf(0xd, {eax: Number(Component.all), ebx: xsaveHeaderEnd, ecx: xsaveAreaBytes}),
	leaf(0xd, {ebx: xsaveHeaderEnd}, 1),
	leaf(0xd, {eax: ymmArea.bytes, ebx: ymmArea.start}, 2),
	leaf(0x4000_0000, {}),
	leaf(0x4000_0001, {}),
	leaf(0x8000_0000, {eax: 0x8000_0008, ...vendor}),
	leaf(0x8000_0001, {eax: signature}),
	...brandLeaves(brand),
	leaf(0x8000_0007, {}),
	leaf(0x8000_0008, {eax: physicalAddressBits | (linearAddressBits << 8)}),
];
