import test from 'ava';
import {VmmError} from '#support/errors';
import type {KvmCapabilities, KvmKind} from './capabilities.ts';
import {kvmFindings} from './findings.ts';

function capabilities(kind: KvmKind): KvmCapabilities {
	const limits = {apiVersion: 12, mmapSize: 12288, recommendedVcpus: 2, maxVcpus: 1024, maxVcpuId: 4096};
	return {...limits, memorySlots: 32764, caps: {} as KvmCapabilities['caps'], kind, supportedCpuid: []};
}

/** Findings as `name level text`. */
const found = (kind: KvmKind | undefined, files: Record<string, string> = {}) =>
	kvmFindings({read: (path) => files[path]}, () => {
		if (kind !== undefined) return capabilities(kind);
		throw new VmmError({code: 'KVM_MISSING', message: 'No KVM', remedy: 'Load it', context: {}});
	}).map(({name, level, text}) => `${name} ${level} ${text}`);

test('where KVM works, what implements it and its limits are said', (t) => {
	const [cpu, ...others] = found('svm').toReversed();
	t.regex(cpu ?? '', /^kvm-cpu ok --cpu can be host; x86-64-v1 needs /);
	t.deepEqual(others.toReversed(), [
		'kvm ok /dev/kvm works: API version 12',
		'kvm-kind ok AMD-V (kvm_amd): everything runs natively',
		'kvm-limits ok up to 1024 processors in a machine (2 recommended), APIC ids below 4096, 32764 memory slots',
	]);
});

test('without KVM it says what the processor has', (t) => {
	const without = (flags: string) => found(undefined, {'/proc/cpuinfo': `processor\t: 0\nflags\t\t: ${flags}\n`});
	t.deepEqual(without('fpu vmx'), [
		'kvm fail No KVM',
		'virtualization warn the processor has VT-x, KVM does not use it',
	]);
	t.is(without('fpu hypervisor')[1], 'virtualization warn this is a virtual machine that is not given VT-x or AMD-V');
	t.is(without('fpu')[1], 'virtualization warn the processor shows neither VT-x nor AMD-V');
});

test('kvm_pvm runs guests, with its limit said', (t) => {
	const [works, kind] = found('pvm');
	t.regex(works ?? '', /^kvm ok/);
	t.regex(kind ?? '', /^kvm-kind warn kvm_pvm.*does not get through boot$/);
});
