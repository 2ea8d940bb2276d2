import {isVmmError} from '#support/errors';
import {modelsInWords} from '#vcpu-worker/cpuid';
import type {Finding, FindingLevel, HostEvidence} from '#vcpu-worker/hypervisor';
import {type KvmCapabilities, type KvmKind, probeKvm} from './capabilities.ts';

/** Each implementation of KVM, and its meaning for a guest. */
const kinds: Readonly<
	Record<KvmKind, {readonly level: FindingLevel; readonly text: string; readonly remedy?: string}>
> = {
	svm: {level: 'ok', text: 'AMD-V (kvm_amd): everything runs natively'},
	vmx: {level: 'ok', text: 'VT-x (kvm_intel): everything runs natively'},
	pvm: {
		level: 'warn',
		text: "kvm_pvm, without VT-x or AMD-V: guest user code runs natively, guest kernel code is emulated at about a million instructions a second and lacks some instructions, so small kernels and the embedded guest run and a distribution's Linux does not get through boot",
		remedy: 'Use a host with VT-x or AMD-V for Linux guests, or in a checkout `npm run incubator`',
	},
	unknown: {
		level: 'warn',
		text: 'neither kvm_amd, kvm_intel nor kvm_pvm is among the loaded modules: KVM may be built into the kernel',
		remedy: 'None is needed when guests run',
	},
};

/**
 * Finds out which KVM this host has, and whether a guest can run at all.
 * @param probe - throws VmmError when KVM cannot be used
 */
export function kvmFindings(evidence: HostEvidence, probe: () => KvmCapabilities = probeKvm): Finding[] {
	try {
		const capabilities = probe();
		return [
			{name: 'kvm', level: 'ok', text: `/dev/kvm works: API version ${capabilities.apiVersion}`},
			{name: 'kvm-kind', ...kinds[capabilities.kind]},
			limits(capabilities),
			{name: 'kvm-cpu', level: 'ok', text: modelsInWords(capabilities.supportedCpuid)},
		];
	} catch (error) {
		if (!isVmmError(error)) throw error;
		return [
			{name: 'kvm', level: 'fail', text: error.message, ...(error.remedy !== undefined && {remedy: error.remedy})},
			virtualization(evidence),
		];
	}
}

function limits({recommendedVcpus, maxVcpus, maxVcpuId, memorySlots}: KvmCapabilities): Finding {
	const text = `up to ${maxVcpus} processors in a machine (${recommendedVcpus} recommended), APIC ids below ${maxVcpuId}, ${memorySlots} memory slots`;
	return {name: 'kvm-limits', level: 'ok', text};
}

/** Without KVM: whether the processor could do it. */
function virtualization({read}: HostEvidence): Finding {
	const name = 'virtualization';
	const flags = /^flags\s*:(.*)$/m.exec(read('/proc/cpuinfo') ?? '')?.[1]?.split(' ') ?? [];
	const feature = flags.includes('svm') ? 'AMD-V' : flags.includes('vmx') ? 'VT-x' : undefined;
	const inside = flags.includes('hypervisor');
	if (feature !== undefined) {
		return {
			name,
			level: 'warn',
			text: `the processor has ${feature}, KVM does not use it`,
			remedy: 'Load its module: modprobe kvm_intel or kvm_amd',
		};
	}
	const text = inside
		? 'this is a virtual machine that is not given VT-x or AMD-V'
		: 'the processor shows neither VT-x nor AMD-V';
	const remedy = inside ? 'Turn on nested virtualization in the host' : 'Turn on virtualization in the firmware';
	return {name, level: 'warn', text, remedy};
}
