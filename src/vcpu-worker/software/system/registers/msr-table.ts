import {Feature} from '#vcpu-worker/software/decode';
import {physicalAddressBits} from '#vcpu-worker/software/state';

/** What a model-specific register can have. */
export interface MsrRule {
	/** Bits that can be written; others are reserved, and a value that has them faults. */
	readonly mask?: bigint;
	/** Bits that stay what they are, whatever is written. */
	readonly kept?: bigint;
	/** It is an address, which must be canonical. */
	readonly isAddress?: true;
	/** Each byte is a type of memory of the MTRRs. */
	readonly hasTypes?: true;
	/** The low byte is one. */
	readonly hasType?: true;
	/** Each byte is a type of memory of the PAT. */
	readonly hasPatTypes?: true;
	/** It can be read only. */
	readonly isReadOnly?: true;
	readonly initial?: bigint;
	/** Features of which one must be announced. */
	readonly features?: readonly Feature[];
}

type Row = readonly [index: number, rule: MsrRule, count?: number, step?: number];

/** Bits that a rule's mask lists. */
const bits = (...numbers: readonly number[]): bigint => numbers.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
const low32 = 0xffff_ffffn;
const everything = 2n ** 64n - 1n;
const addressMask = (1n << BigInt(physicalAddressBits)) - 1n;

const mtrr = {features: [Feature.mtrr]} as const;
const syscall = {features: [Feature.syscall, Feature.longMode]} as const;
/** Reads as 0, and what is written is dropped: settings of a processor that this one does not have. */
const quiet: MsrRule = {kept: everything};

/** 8 pairs of variable MTRRs, fixed ones, write combining (SDM volume 3, figure 12-5). */
const mtrrCapabilities = 0x508n;

/** Model-specific registers that hold a value (SDM volume 4, table 2-2; APM volume 2, appendix A). */
const rows: readonly Row[] = [
	// TSC_ADJUST.
	[0x3b, {features: [Feature.tscAdjust]}],
	// Signature of microcode.
	[0x8b, quiet],
	// PLATFORM_INFO and MISC_FEATURE_ENABLES: CPUID does not fault.
	[0xce, {isReadOnly: true}],
	[0x140, {mask: 0n}],
	// MTRRCAP, PHYSBASE and PHYSMASK, fixed ranges, DEF_TYPE.
	[0xfe, {...mtrr, isReadOnly: true, initial: mtrrCapabilities}],
	[0x200, {...mtrr, mask: (addressMask & ~0xfffn) | 0xffn, hasType: true}, 8, 2],
	[0x201, {...mtrr, mask: addressMask & ~0x7ffn}, 8, 2],
	[0x250, {...mtrr, hasTypes: true}],
	[0x258, {...mtrr, hasTypes: true}, 2],
	[0x268, {...mtrr, hasTypes: true}, 8],
	[0x2ff, {...mtrr, mask: bits(10, 11) | 0xffn, hasType: true}],
	[0x277, {hasPatTypes: true, features: [Feature.pat]}],
	// SYSENTER_CS, ESP, EIP.
	[0x174, {mask: low32}],
	[0x175, {isAddress: true}, 2],
	// MCG_CAP, which has no banks, and MCG_STATUS.
	[0x179, {isReadOnly: true, features: [Feature.mca]}],
	[0x17a, {mask: bits(0, 1, 2), features: [Feature.mca]}],
	// CTL, STATUS, ADDR and MISC of the 32 banks that a guest of KVM's has found.
	[0x400, {...quiet, features: [Feature.mca]}, 128],
	// MISC_ENABLE: what says that there are no traces of branches and events stays.
	[0x1a0, {mask: bits(0, 3, 16, 18, 22, 23, 34), kept: bits(7, 11, 12)}],
	// DEBUGCTL, and where the last branches went.
	[0x1d9, {mask: bits(0)}],
	[0x1db, {isReadOnly: true}, 4],
	// XSS.
	[0xda0, {mask: 0n, features: [Feature.xsaves]}],
	// STAR, LSTAR, CSTAR, FMASK, KERNEL_GS_BASE, TSC_AUX.
	[0xc000_0081, syscall],
	[0xc000_0082, {...syscall, isAddress: true}, 2],
	[0xc000_0084, {...syscall, mask: low32}],
	[0xc000_0102, {isAddress: true, features: [Feature.longMode]}],
	[0xc000_0103, {mask: low32, features: [Feature.rdtscp, Feature.rdpid]}],
	// Counters of events, which do not count.
	[0xc001_0000, quiet, 8],
	// SYSCFG, HWCR, NB_CFG, interrupts pending, OSVW, LS_CFG, DC_CFG, BU_CFG, DE_CFG, BU_CFG2.
	...[0xc001_0010, 0xc001_0015, 0xc001_001f, 0xc001_0055, 0xc001_0140, 0xc001_0141].map((index): Row => [index, quiet]),
	...[0xc001_1020, 0xc001_1022, 0xc001_1023, 0xc001_1029, 0xc001_102a].map((index): Row => [index, quiet]),
];

/** The rules by the registers' numbers. */
export const msrRules: ReadonlyMap<number, MsrRule> = new Map(
	rows.flatMap(([first, rule, count = 1, step = 1]) =>
		Array.from({length: count}, (_, number): [number, MsrRule] => [first + number * step, rule]),
	),
);
