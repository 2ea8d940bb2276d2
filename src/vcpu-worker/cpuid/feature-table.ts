import {kvmFeatures} from './kvm-features.ts';
import {Leaf} from './leaves.ts';
import type {CpuidBits, CpuidRegister} from './policy.ts';

/** A register of CPUID whose every bit is a feature. */
export interface FeatureWord {
	readonly leaf: number;
	readonly subleaf: number;
	readonly register: CpuidRegister;
	/** Where its bits are described. */
	readonly manual: string;
	/** Bits by name: Linux's in /proc/cpuinfo, and QEMU's where Linux shows none. */
	readonly bits: Readonly<Record<string, number>>;
}

/** A feature that CPUID announces by a bit. */
export interface CpuFeature {
	readonly name: string;
	readonly word: FeatureWord;
	readonly bit: number;
}

const intel = 'Intel SDM vol. 2, CPUID';
const amd = 'AMD APM vol. 3, E.4';

/** All words of features, with the bits that have a name. */
export const featureWords: readonly FeatureWord[] = [
	{
		leaf: Leaf.features,
		subleaf: 0,
		register: 'ecx',
		manual: intel,
		bits: {
			...{pni: 0, pclmulqdq: 1, dtes64: 2, monitor: 3, ds_cpl: 4, vmx: 5, smx: 6, est: 7, tm2: 8, ssse3: 9},
			...{cid: 10, sdbg: 11, fma: 12, cx16: 13, xtpr: 14, pdcm: 15, pcid: 17, dca: 18, sse4_1: 19, sse4_2: 20},
			...{x2apic: 21, movbe: 22, popcnt: 23, tsc_deadline_timer: 24, aes: 25, xsave: 26, osxsave: 27, avx: 28},
			...{f16c: 29, rdrand: 30, hypervisor: 31},
		},
	},
	{
		leaf: Leaf.features,
		subleaf: 0,
		register: 'edx',
		manual: intel,
		bits: {
			...{fpu: 0, vme: 1, de: 2, pse: 3, tsc: 4, msr: 5, pae: 6, mce: 7, cx8: 8, apic: 9, sep: 11, mtrr: 12},
			...{pge: 13, mca: 14, cmov: 15, pat: 16, pse36: 17, pn: 18, clflush: 19, dts: 21, acpi: 22, mmx: 23},
			...{fxsr: 24, sse: 25, sse2: 26, ss: 27, ht: 28, tm: 29, pbe: 31},
		},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 0,
		register: 'ebx',
		manual: intel,
		bits: {
			...{fsgsbase: 0, tsc_adjust: 1, sgx: 2, bmi1: 3, hle: 4, avx2: 5, fdp_excptn_only: 6, smep: 7, bmi2: 8},
			...{erms: 9, invpcid: 10, rtm: 11, cqm: 12, zero_fcs_fds: 13, mpx: 14, rdt_a: 15, avx512f: 16},
			...{avx512dq: 17, rdseed: 18, adx: 19, smap: 20, avx512ifma: 21, clflushopt: 23, clwb: 24, intel_pt: 25},
			...{avx512pf: 26, avx512er: 27, avx512cd: 28, sha_ni: 29, avx512bw: 30, avx512vl: 31},
		},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 0,
		register: 'ecx',
		manual: intel,
		bits: {
			...{avx512vbmi: 1, umip: 2, pku: 3, ospke: 4, waitpkg: 5, avx512_vbmi2: 6, shstk: 7, gfni: 8, vaes: 9},
			...{vpclmulqdq: 10, avx512_vnni: 11, avx512_bitalg: 12, tme: 13, avx512_vpopcntdq: 14, la57: 16, rdpid: 22},
			...{bus_lock_detect: 24, cldemote: 25, movdiri: 27, movdir64b: 28, enqcmd: 29, sgx_lc: 30, pks: 31},
		},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 0,
		register: 'edx',
		manual: intel,
		bits: {
			...{avx512_4vnniw: 2, avx512_4fmaps: 3, fsrm: 4, uintr: 5, avx512_vp2intersect: 8, md_clear: 10},
			...{serialize: 14, tsxldtrk: 16, pconfig: 18, arch_lbr: 19, ibt: 20, amx_bf16: 22, avx512_fp16: 23},
			...{amx_tile: 24, amx_int8: 25, spec_ctrl: 26, intel_stibp: 27, flush_l1d: 28, arch_capabilities: 29},
			...{core_capabilities: 30, spec_ctrl_ssbd: 31},
		},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 1,
		register: 'eax',
		manual: intel,
		bits: {
			...{sha512: 0, sm3: 1, sm4: 2, avx_vnni: 4, avx512_bf16: 5, cmpccxadd: 7, fzrm: 10, fsrs: 11, fsrc: 12},
			...{fred: 17, lkgs: 18, wrmsrns: 19, amx_fp16: 21, avx_ifma: 23, lam: 26},
		},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 1,
		register: 'edx',
		manual: intel,
		bits: {avx_vnni_int8: 4, avx_ne_convert: 5, amx_complex: 8, avx_vnni_int16: 10, prefetchiti: 14},
	},
	{
		leaf: Leaf.structuredFeatures,
		subleaf: 2,
		register: 'edx',
		manual: intel,
		bits: {intel_psfd: 0, ipred_ctrl: 1, rrsba_ctrl: 2, ddpd_u: 3, bhi_ctrl: 4, mcdt_no: 5},
	},
	{
		leaf: Leaf.xsave,
		subleaf: 1,
		register: 'eax',
		manual: intel,
		bits: {xsaveopt: 0, xsavec: 1, xgetbv1: 2, xsaves: 3, xfd: 4},
	},
	{
		leaf: Leaf.kvmFeatures,
		subleaf: 0,
		register: 'eax',
		manual: 'Linux, Documentation/virt/kvm/x86/cpuid.rst',
		bits: Object.fromEntries(kvmFeatures.map(({name, bit}) => [`kvm_${name.toLowerCase()}`, bit])),
	},
	{
		leaf: Leaf.extendedFeatures,
		subleaf: 0,
		register: 'ecx',
		manual: amd,
		bits: {
			...{lahf_lm: 0, cmp_legacy: 1, svm: 2, extapic: 3, cr8_legacy: 4, abm: 5, sse4a: 6, misalignsse: 7},
			...{'3dnowprefetch': 8, osvw: 9, ibs: 10, xop: 11, skinit: 12, wdt: 13, lwp: 15, fma4: 16, tce: 17},
			...{nodeid_msr: 19, tbm: 21, topoext: 22, perfctr_core: 23, perfctr_nb: 24, bpext: 26, ptsc: 27},
			...{perfctr_llc: 28, mwaitx: 29},
		},
	},
	{
		leaf: Leaf.extendedFeatures,
		subleaf: 0,
		register: 'edx',
		manual: amd,
		bits: {
			...{syscall: 11, mp: 19, nx: 20, mmxext: 22, fxsr_opt: 25, pdpe1gb: 26, rdtscp: 27, lm: 29},
			...{'3dnowext': 30, '3dnow': 31},
		},
	},
	{leaf: Leaf.powerManagement, subleaf: 0, register: 'edx', manual: amd, bits: {invtsc: 8}},
	{
		leaf: Leaf.addressSizes,
		subleaf: 0,
		register: 'ebx',
		manual: amd,
		bits: {
			...{clzero: 0, irperf: 1, xsaveerptr: 2, rdpru: 4, wbnoinvd: 9, ibpb: 12, ibrs: 14, amd_stibp: 15},
			...{ibrs_always_on: 16, stibp_always_on: 17, ibrs_preferred: 18, amd_ssbd: 24, virt_ssbd: 25},
			...{amd_ssb_no: 26, amd_psfd: 28, btc_no: 29},
		},
	},
	{
		leaf: Leaf.extendedFeatures2,
		subleaf: 0,
		register: 'eax',
		manual: amd,
		bits: {
			...{no_nested_data_bp: 0, lfence_rdtsc: 2, null_sel_clr_base: 6, autoibrs: 8, no_smm_ctl_msr: 9},
			...{cpuid_user_dis: 17, sbpb: 27, ibpb_brtype: 28, srso_no: 29},
		},
	},
];

/** Other names that people know a feature by: the psABI's and QEMU's. */
export const otherNames: Readonly<Record<string, string>> = {
	...{sse3: 'pni', lahf: 'lahf_lm', lzcnt: 'abm', cmpxchg16b: 'cx16', cmpxchg8b: 'cx8', osfxsr: 'fxsr', sce: 'syscall'},
	...{pclmul: 'pclmulqdq', sha: 'sha_ni', xd: 'nx', page1gb: 'pdpe1gb', tsc_deadline: 'tsc_deadline_timer'},
};

const features: ReadonlyMap<string, CpuFeature> = new Map(
	featureWords.flatMap((word) => Object.entries(word.bits).map(([name, bit]) => [name, {name, word, bit}] as const)),
);

/** All features that have a name. */
export const cpuFeatures: readonly CpuFeature[] = [...features.values()];

/** Finds a feature by its name, in which a dot and a dash are as good as an underscore: `sse4.1`, `tsc-deadline`. */
export function cpuFeature(name: string): CpuFeature | undefined {
	const written = name.toLowerCase().replace(/[-.]/g, '_');
	return features.get(otherNames[written] ?? written);
}

/** All names that {@link cpuFeature} knows. */
export const featureNames: readonly string[] = [...features.keys(), ...Object.keys(otherNames)];

/** The place of a feature in CPUID's answers. */
export const bitsOf = ({word: {leaf, subleaf, register}, bit}: CpuFeature): CpuidBits => ({
	function: leaf,
	index: subleaf,
	register,
	mask: (1 << bit) >>> 0,
});

/** A bit as the manuals write it, with its name where it has one: `CPUID.7.0:EBX[16] (avx512f)`. */
export function bitInWords(word: string, bit: number): string {
	const known = cpuFeatures.find((one) => one.bit === bit && wordName(one.word) === word);
	return `${word}[${bit}]${known === undefined ? '' : ` (${known.name})`}`;
}

/** A word as the manuals write it: `CPUID.7.0:EBX`. */
export const wordName = ({leaf, subleaf, register}: Pick<FeatureWord, 'leaf' | 'subleaf' | 'register'>): string =>
	`CPUID.${leaf.toString(16)}.${subleaf}:${register.toUpperCase()}`;

/** Features without which others do not exist: who lacks one lacks those that name it (Linux: cpuid-deps.c has the same idea). */
const bases: Readonly<Record<string, string>> = {
	...{sse: 'fxsr', sse2: 'sse', pni: 'sse2', ssse3: 'pni', sse4_1: 'ssse3', sse4_2: 'sse4_1'},
	...{aes: 'sse2', pclmulqdq: 'sse2', sha_ni: 'sse2', gfni: 'sse2', x2apic: 'apic', tsc_deadline_timer: 'apic'},
	...{
		xsaveopt: 'xsave',
		xsavec: 'xsave',
		xgetbv1: 'xsave',
		xsaves: 'xsavec',
		xfd: 'xsaves',
		pku: 'xsave',
		mpx: 'xsave',
	},
	...{avx: 'xsave', fma: 'avx', f16c: 'avx', avx2: 'avx', vaes: 'avx', vpclmulqdq: 'avx', fma4: 'avx', xop: 'avx'},
	...{avx_vnni: 'avx2', avx_ifma: 'avx2', avx_vnni_int8: 'avx2', avx_vnni_int16: 'avx2', avx_ne_convert: 'avx2'},
	...{sm3: 'avx', sm4: 'avx2', sha512: 'avx2', avx512f: 'avx2'},
	...{amx_tile: 'xfd', amx_bf16: 'amx_tile', amx_int8: 'amx_tile', amx_fp16: 'amx_tile', amx_complex: 'amx_tile'},
	...{rdtscp: 'tsc', lm: 'pae', nx: 'pae', pdpe1gb: 'lm', lahf_lm: 'lm', la57: 'lm'},
	...Object.fromEntries(
		[...features.keys()].filter((name) => /^avx512./.test(name) && name !== 'avx512f').map((name) => [name, 'avx512f']),
	),
};

/** The name in the table of a feature that goes by several. */
export const canonicalName = (name: string): string => cpuFeature(name)?.name ?? name;

/** Features that do not exist without another, by that one's name. */
const dependents = Map.groupBy(Object.keys(bases), (name) => bases[name]);

/** A feature, and all that do not exist without it. */
export function withDependents(name: string): Set<string> {
	const found = new Set([name]);
	// A set shows what is added to it while it is gone through.
	for (const base of found) for (const other of dependents.get(base) ?? []) found.add(other);
	return found;
}

/** Features, and all that they do not exist without. */
export function withBases(names: Iterable<string>): Set<string> {
	const found = new Set(names);
	// As above.
	for (const name of found) if (bases[name] !== undefined) found.add(bases[name]);
	return found;
}

/** Names of the features that CPUID announces with these answers, in the table's order. */
export const announced = (
	answers: readonly Readonly<Record<CpuidRegister | 'function' | 'index', number>>[],
): string[] =>
	featureWords.flatMap(({leaf, subleaf, register, bits}) => {
		const value = answers.find((one) => one.function === leaf && one.index === subleaf)?.[register] ?? 0;
		return value === 0 ? [] : Object.keys(bits).filter((name) => ((value >>> (bits[name] as number)) & 1) === 1);
	});
