/** A choice of processor, as `--cpu` makes it. */
export interface CpuChoice {
	readonly model: CpuModelName;
	/** Names of features beyond the model's. */
	readonly with: readonly string[];
	/** Names of features to hide; those that need one of them are hidden, too. */
	readonly without: readonly string[];
	/** Frequency of the time-stamp counter in kHz; the back end's own when absent. */
	readonly tscKhz?: number;
}

/** A processor that can be asked for. */
export interface CpuModel {
	readonly summary: string;
	/** Features that it has, on any back end; undefined: all that the back end has. */
	readonly features?: readonly string[];
}

const names = (text: string): string[] => text.split(' ');

/** The psABI's baseline (x86-64 psABI, table 3.1), and what an operating system of 64 bits takes for granted. */
const v1 = [
	...names('cmov cx8 fpu fxsr mmx syscall sse sse2'),
	...names('apic clflush de lm mca mce msr mtrr nx pae pat pge pse pse36 sep tsc'),
];
const v2 = [...v1, ...names('cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3')];
const v3 = [...v2, ...names('abm avx avx2 bmi1 bmi2 f16c fma movbe xsave')];

/** The models: the psABI's levels are what a guest finds on any back end and host, so that a snapshot moves between them. */
export const cpuModels = {
	host: {summary: 'all that the back end has on this host'},
	'x86-64-v1': {summary: "the psABI's baseline: any x86-64 processor", features: v1},
	'x86-64-v2': {summary: "the psABI's second level, to SSE4.2: any since 2009; both back ends have it", features: v2},
	'x86-64-v3': {summary: "the psABI's third level, to AVX2: since 2013, 2015", features: v3},
} as const satisfies Record<string, CpuModel>;

export type CpuModelName = keyof typeof cpuModels;
export const cpuModelNames = Object.keys(cpuModels) as readonly CpuModelName[];

/** The choice of who does not choose. */
export const hostCpu: CpuChoice = {model: 'host', with: [], without: []};

/** Features that other parts of the configuration decide, and that `--cpu` therefore does not. */
export const decidedElsewhere: Readonly<Record<string, string>> = {
	x2apic: '--x2apic',
	ht: '--vps-per-socket and --smt',
	cmp_legacy: '--vps-per-socket and --smt',
	osxsave: "the guest's CR4",
	ospke: "the guest's CR4",
	kvm_msi_ext_dest_id: '--x2apic and --irqchip',
};

/** What models have beside their features, so that a guest finds the same processor on any host. */
export const modelFacts = {
	/** Of KVM's interface, that part which both back ends have; where hypercalls do not work it is less. */
	paravirtual: names(
		'kvm_clocksource kvm_nop_io_delay kvm_clocksource2 kvm_steal_time kvm_pv_unhalt kvm_pv_send_ipi kvm_clocksource_stable',
	),
	/** Width of physical addresses, where the host has as much. */
	addressBits: 40,
	/** Family, model and stepping by maker: those of QEMU's qemu64 and Nehalem, to which no kernel has other workarounds for more. */
	signature: {amd: 0x0006_0fb1, intel: 0x0001_06a3},
} as const;

/** Width of physical addresses that a guest is told of. @param offered - the back end's */
export const guestAddressBits = (offered: number, {model}: CpuChoice): number =>
	model === 'host' ? offered : Math.min(offered, modelFacts.addressBits);
