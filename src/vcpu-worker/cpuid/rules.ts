import {maskKvmFeatures} from './kvm-features.ts';
import {Bit, Leaf} from './leaves.ts';
import {type CpuidContext, type CpuidRule, hasBits} from './policy.ts';
import {amdAddressSizes, amdTopology, cacheTopology, featureTopology, topologyLevels} from './topology-leaves.ts';

/** Answer of leaf 40000000: the last hypervisor leaf, then `KVMKVMKVM` in 12 bytes. */
const kvmSignature = {eax: Leaf.kvmFeatures, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d} as const;

const isAmd = (c: CpuidContext) => c.isAmd;
const isIntel = (c: CpuidContext) => !c.isAmd;
const isSocketShared = (c: CpuidContext) => c.topology.socketShift > 0;
const isHypervisorLeaf = (leaf: number) => leaf >>> 28 === 4;

/** Tell the guest about the hypervisor and what KVM does for it. */
const hypervisorRules: readonly CpuidRule[] = [
	{
		name: 'hypervisor-present',
		reason: 'Guests look for the hypervisor leaves only when this bit is set',
		action: {set: [Bit.hypervisor]},
	},
	{
		name: 'hypervisor-other-leaves',
		reason: 'Leaves past the two of KVM belong to interfaces that the machine does not have',
		action: {drop: (e) => isHypervisorLeaf(e.function) && e.function > Leaf.kvmFeatures},
	},
	{
		name: 'kvm-signature',
		reason: 'KVMKVMKVM leads the guest to kvmclock; old hosts report 0 as the last leaf',
		action: {edit: {function: Leaf.kvmSignature, apply: (e) => ({...e, ...kvmSignature})}},
	},
	{
		name: 'kvm-features',
		reason: 'Each feature has its own policy, see kvm-features; no hints, for vCPUs share the host with others',
		action: {
			edit: {
				function: Leaf.kvmFeatures,
				apply: (e, {options}) => {
					const {hypercalls = true, extendedDestinations = false} = options;
					return {...e, eax: maskKvmFeatures(e.eax, {hypercalls, extendedDestinations}), ebx: 0, ecx: 0, edx: 0};
				},
			},
		},
	},
	{
		name: 'x2apic-offered',
		reason: "KVM's local APIC has it on every host; a register access is one instruction instead of a page fault",
		when: (c) => c.options.x2apic,
		action: {set: [Bit.x2apic]},
	},
	{
		name: 'x2apic-hidden',
		reason: 'The machine was asked for xAPIC only',
		when: (c) => !c.options.x2apic,
		action: {clear: [Bit.x2apic]},
	},
	{
		name: 'tsc-deadline-offered',
		reason: 'KVM gives this bit as a capability, not in the list of supported leaves',
		when: (c) => c.options.tscDeadline,
		action: {set: [Bit.tscDeadline]},
	},
	{
		name: 'tsc-deadline-hidden',
		reason: 'Without the capability the timer never fires',
		when: (c) => !c.options.tscDeadline,
		action: {clear: [Bit.tscDeadline]},
	},
];

/** Hide what the host's processor has but the guest must not use. */
const maskingRules: readonly CpuidRule[] = [
	{
		name: 'monitor-hidden',
		reason: 'A guest waiting in MWAIT would either leave at once or hold a host processor; HLT does it better',
		action: {clear: [Bit.monitor, Bit.amdMonitorX]},
	},
	{name: 'monitor-leaf', reason: 'It describes MWAIT', action: {drop: (e) => e.function === Leaf.monitor}},
	{
		name: 'nested-hidden',
		reason: 'Nested guests widen what the guest can reach in the host kernel, and no snapshot holds their state',
		action: {clear: [Bit.vmx, Bit.svm]},
	},
	{
		name: 'svm-leaf',
		reason: 'It describes SVM',
		action: {drop: (e) => e.function === Leaf.svm},
	},
	{
		name: 'sgx-hidden',
		reason: 'Enclaves need memory of the host kernel (/dev/sgx_vepc) that machines are not given',
		action: {clear: [Bit.sgx, Bit.sgxLaunchControl]},
	},
	{name: 'sgx-leaf', reason: 'It describes SGX', action: {drop: (e) => e.function === Leaf.sgx}},
	{
		name: 'memory-encryption-leaf',
		reason: 'Guests are not encrypted; one that finds SEV or SME here reads MSRs that do not exist',
		action: {drop: (e) => e.function === Leaf.memoryEncryption},
	},
	{
		name: 'psfd-without-spec-ctrl',
		reason: 'KVM offers PSFD also when it refuses the MSR that controls it',
		when: ({offered}) => ![Bit.ibrs, Bit.amdIbrs, Bit.amdStibp, Bit.amdSsbd].some((bits) => hasBits(offered, bits)),
		action: {clear: [Bit.amdPsfd]},
	},
];

/** Tell how the processors are arranged: never as on the host, always as in the machine's own tables. */
const topologyRules: readonly CpuidRule[] = [
	{
		name: 'topology-basic',
		reason: 'The initial APIC id differs per processor, and the count is of the machine',
		action: {edit: {function: Leaf.features, apply: (e, {topology}) => featureTopology(e, topology)}},
	},
	{
		name: 'topology-htt',
		reason: 'The count in leaf 1 is valid only with this bit',
		when: isSocketShared,
		action: {set: [Bit.htt]},
	},
	{
		name: 'topology-no-htt',
		reason: 'A socket of one processor shares nothing',
		when: (c) => !isSocketShared(c),
		action: {clear: [Bit.htt, Bit.cmpLegacy]},
	},
	{
		name: 'topology-cmp-legacy',
		reason: "On AMD the processors that leaf 1 counts are cores; hyperthreads are 8000001E's",
		when: (c) => isAmd(c) && isSocketShared(c),
		action: {set: [Bit.cmpLegacy]},
	},
	{
		name: 'topology-caches',
		reason: 'Schedulers group processors by shared caches: levels 1 and 2 per core, 3 per socket',
		when: isIntel,
		action: {edit: {function: Leaf.caches, apply: (e, {topology}) => cacheTopology(e, topology, true)}},
	},
	{
		name: 'topology-levels',
		reason: 'Whole 32-bit APIC ids, thread and core widths',
		when: (c) => c.maxBasic >= Leaf.topology,
		action: {replace: {function: Leaf.topology, entries: ({topology}) => topologyLevels(Leaf.topology, topology)}},
	},
	{
		name: 'topology-levels-v2',
		reason: 'Guests prefer it to leaf B where it exists, so it must say the same',
		when: (c) => c.maxBasic >= Leaf.topologyV2,
		action: {replace: {function: Leaf.topologyV2, entries: ({topology}) => topologyLevels(Leaf.topologyV2, topology)}},
	},
	{
		name: 'topology-amd-sizes',
		reason: 'The bits of an APIC id within a socket',
		when: isAmd,
		action: {edit: {function: Leaf.addressSizes, apply: (e, {topology}) => amdAddressSizes(e, topology)}},
	},
	{
		name: 'topology-amd-caches',
		reason: 'As leaf 4 on Intel',
		when: isAmd,
		action: {edit: {function: Leaf.amdCaches, apply: (e, {topology}) => cacheTopology(e, topology, false)}},
	},
	{
		name: 'topology-amd-core',
		reason: 'Core, thread and node; newer hosts leave it empty for the VMM to fill',
		when: (c) => isAmd(c) && hasBits(c.offered, Bit.topologyExtensions),
		action: {replace: {function: Leaf.amdTopology, entries: ({topology}) => [amdTopology(topology)]}},
	},
	{
		name: 'topology-amd-v2',
		reason: "It would describe the host's processors; leaf B says what there is to say",
		action: {drop: (e) => e.function === Leaf.amdTopologyV2},
	},
];

/**
 * The policy. What no rule names passes as KVM offers it: instruction sets, XSAVE (leaf D), address widths, speculation
 * controls and IA32_ARCH_CAPABILITIES, brand string, frequencies. On hosts with `kvm_pvm` the guest's CPUID instruction
 * answers with the host's values whatever is set here; only what KVM itself looks up in these entries follows the policy.
 */
export const cpuidRules: readonly CpuidRule[] = [...hypervisorRules, ...maskingRules, ...topologyRules];
