import {Msr, msrName} from '#vcpu-worker/registers';

/** A register and the value to set, as KVM_SET_MSRS takes it. */
export interface MsrValue {
	readonly index: number;
	/** Unsigned, 64 bits. */
	readonly data: bigint;
}

/** Facts that decide which registers a processor has. */
export interface ResetMsrContext {
	/** AMD or Hygon. */
	readonly isAmd: boolean;
	/** Indexes by KVM_GET_MSR_INDEX_LIST. */
	readonly listed: ReadonlySet<number>;
}

/** A register's value after reset, and why it is set. */
export interface ResetMsr {
	readonly name: string;
	readonly index: number;
	readonly value: bigint;
	readonly reason: string;
	/** Intel processors only. */
	readonly intelOnly?: true;
	/** Every KVM has it, although the list of older ones leaves it out. All others are set only when listed. */
	readonly always?: true;
}

/** IA32_MISC_ENABLE (Intel SDM vol. 4, table 2-2). */
const miscEnable = {fastStrings: 1n << 0n, btsUnavailable: 1n << 11n, pebsUnavailable: 1n << 12n} as const;
/** The lock bit of IA32_FEATURE_CONTROL (Intel SDM vol. 3, 24.7). */
const featureControlLocked = 1n << 0n;
/** IA32_MTRR_DEF_TYPE (Intel SDM vol. 3, 12.11.2.1): the default type in the low byte is 0, uncached. */
const mtrrEnable = {fixed: 1n << 10n, all: 1n << 11n} as const;
/** Eight fields of write-back. */
const writeBack = 0x0606_0606_0606_0606n;
/** WB, WT, UC-, UC, and the same again (Intel SDM vol. 3, 12.12.4). */
const powerOnPat = 0x0007_0406_0007_0406n;

const systemCalls = 'the entry points of the previous kernel must not outlive a reset';
const kvmPages = "KVM would go on writing to the previous kernel's page, which is the next one's memory";
const mtrr = 'no firmware sets them: as OpenVMM does, conventional memory is write-back and the rest the default';
const zero = (name: keyof typeof Msr, reason: string): ResetMsr => ({name, index: Msr[name], value: 0n, reason});
const resetMtrr = (index: number, value: bigint): ResetMsr => ({
	name: msrName(index),
	index,
	value,
	reason: mtrr,
	always: true,
});

/**
 * Values that differ from what KVM gives a new vCPU, or that a guest may have changed before a reset. Registers that
 * travel with the segment and control registers (EFER, FS and GS base, APIC base) are not here.
 */
export const resetMsrTable: readonly ResetMsr[] = [
	{
		name: 'IA32_TIME_STAMP_COUNTER',
		index: Msr.IA32_TIME_STAMP_COUNTER,
		value: 0n,
		reason: 'zero after reset; KVM takes a zero from the VMM as the sign to keep the processors in step',
		always: true,
	},
	zero('IA32_TSC_ADJUST', 'offset of the previous kernel'),
	zero('IA32_TSC_DEADLINE', 'a timer of the previous kernel would fire'),
	{
		name: 'IA32_MISC_ENABLE',
		index: Msr.IA32_MISC_ENABLE,
		value: miscEnable.fastStrings | miscEnable.btsUnavailable | miscEnable.pebsUnavailable,
		reason: 'without fast strings Linux gives up REP MOVSB; there are no branch or event traces to memory',
		always: true,
	},
	{
		name: 'IA32_FEATURE_CONTROL',
		index: Msr.IA32_FEATURE_CONTROL,
		value: featureControlLocked,
		reason: 'firmware locks it; KVM leaves it open, and guests take an open one for missing firmware',
		intelOnly: true,
	},
	zero('IA32_SPEC_CTRL', 'speculation controls start open'),
	zero('IA32_XSS', 'no supervisor state components'),
	zero('IA32_DEBUGCTL', 'no tracing'),
	zero('IA32_MCG_STATUS', 'no machine check under way'),
	...(['IA32_SYSENTER_CS', 'IA32_SYSENTER_ESP', 'IA32_SYSENTER_EIP'] as const).map((name) => zero(name, systemCalls)),
	...(['IA32_STAR', 'IA32_LSTAR', 'IA32_CSTAR', 'IA32_FMASK'] as const).map((name) => zero(name, systemCalls)),
	zero('IA32_KERNEL_GS_BASE', systemCalls),
	zero('IA32_TSC_AUX', 'processor number of the previous kernel'),
	{name: 'IA32_PAT', index: Msr.IA32_PAT, value: powerOnPat, reason: 'the power-on value', always: true},
	resetMtrr(Msr.IA32_MTRR_DEF_TYPE, mtrrEnable.all | mtrrEnable.fixed),
	resetMtrr(Msr.IA32_MTRR_FIX64K_00000, writeBack),
	resetMtrr(Msr.IA32_MTRR_FIX16K_80000, writeBack),
	resetMtrr(Msr.IA32_MTRR_FIX16K_A0000, 0n),
	...Array.from({length: 8}, (_, i) => resetMtrr(Msr.IA32_MTRR_FIX4K_C0000 + i, 0n)),
	...Array.from({length: 16}, (_, i) => resetMtrr(Msr.IA32_MTRR_PHYSBASE0 + i, 0n)),
	zero('KVM_WALL_CLOCK_NEW', kvmPages),
	zero('KVM_SYSTEM_TIME_NEW', kvmPages),
	zero('KVM_ASYNC_PF_EN', kvmPages),
	zero('KVM_ASYNC_PF_INT', kvmPages),
	zero('KVM_STEAL_TIME', kvmPages),
	zero('KVM_PV_EOI_EN', kvmPages),
	{name: 'KVM_POLL_CONTROL', index: Msr.KVM_POLL_CONTROL, value: 1n, reason: 'the host polls until a guest says no'},
];

/** The values to set on every processor, at start and at each reset, after its CPUID. */
export const resetMsrs = ({isAmd, listed}: ResetMsrContext): MsrValue[] =>
	resetMsrTable
		.filter(({intelOnly}) => intelOnly !== true || !isAmd)
		.filter(({always, index}) => always === true || listed.has(index))
		.map(({index, value}) => ({index, data: value}));
