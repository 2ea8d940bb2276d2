import test from 'ava';
import {VmmError} from '#support/errors';
import type {KvmCapabilities, KvmKind} from '#vcpu-worker/kvm';
import {canRun, type Evidence, examineHost, findingsText, hostEvidence} from './index.ts';

const cpuinfo = (flags: string) =>
	`processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: ${flags}\n\nprocessor\t: 1\nvendor_id\t: AuthenticAMD\n`;
const meminfo = (availableKib: number) =>
	`MemTotal: 8388608 kB\nMemAvailable: ${availableKib} kB\nHugePages_Total: 4\nHugePages_Free: 2\nHugepagesize: 2048 kB\n`;

function capabilities(kind: KvmKind): KvmCapabilities {
	const limits = {apiVersion: 12, mmapSize: 12288, recommendedVcpus: 2, maxVcpus: 1024, maxVcpuId: 4096};
	return {...limits, memorySlots: 32764, caps: {} as KvmCapabilities['caps'], kind, supportedCpuid: []};
}

/** A healthy host, but for `changes`. */
function evidence(changes: Partial<Evidence> = {}, files: Record<string, string> = {}): Evidence {
	const all: Record<string, string> = {
		'/proc/cpuinfo': cpuinfo('fpu svm'),
		'/proc/meminfo': meminfo(4194304),
		'/sys/module/kvm_amd/parameters/nested': '1',
		...files,
	};
	return {
		read: (path) => all[path],
		exists: (path) => path in all,
		program: () => '/usr/bin/qemu-system-x86_64',
		probe: () => capabilities('svm'),
		kernelRelease: '6.1.0-test',
		architecture: 'x64',
		nodeVersion: '24.21.0',
		nodePath: '/usr/bin/node',
		checkout: '/checkout',
		...changes,
	};
}

/** `level text` of the named finding. */
function finding(name: string, from: Evidence): string | undefined {
	const found = examineHost(from).find((candidate) => candidate.name === name);
	return found && `${found.level} ${found.text}`;
}

const failing = (code: string) => () => {
	throw new VmmError({code, message: 'No KVM', remedy: 'Load it', context: {}});
};

test('a healthy host is ok in every line', (t) => {
	const findings = examineHost(evidence());
	t.deepEqual(
		findings.filter(({level}) => level !== 'ok'),
		[],
	);
	t.true(canRun(findings));
	t.snapshot(findingsText(findings));
});

test('without KVM no guest can run, and the remedy is there', (t) => {
	const findings = examineHost(evidence({probe: failing('KVM_MISSING')}));
	t.false(canRun(findings));
	t.regex(findingsText(findings), /FAIL {2}kvm +No KVM\n +Load it\n/);
	t.regex(findingsText(findings), /No guest can run here\n$/);
});

test('without KVM it says what the processor has', (t) => {
	const without = (flags: string) =>
		finding('virtualization', evidence({probe: failing('KVM_MISSING')}, {'/proc/cpuinfo': cpuinfo(flags)}));
	t.is(without('fpu vmx'), 'warn the processor has VT-x, KVM does not use it');
	t.is(without('fpu hypervisor'), 'warn this is a virtual machine that is not given VT-x or AMD-V');
	t.is(without('fpu'), 'warn the processor shows neither VT-x nor AMD-V');
});

test('kvm_pvm runs guests, with its limit said', (t) => {
	const pvm = evidence({probe: () => capabilities('pvm')});
	t.true(canRun(examineHost(pvm)));
	t.regex(finding('kvm-kind', pvm) ?? '', /^warn kvm_pvm.*does not get through boot$/);
});

test('little memory is a warning, and a control group limits it', (t) => {
	const gibibyte = 2 ** 30;
	t.regex(
		finding('memory', evidence({}, {'/proc/meminfo': meminfo(512 * 1024)})) ?? '',
		/^warn 0\.5 GiB available of 8\.0/,
	);
	t.regex(finding('memory', evidence({}, {'/sys/fs/cgroup/memory.max': `${2 * gibibyte}`})) ?? '', /^ok 2\.0 GiB/);
	t.regex(finding('memory', evidence({}, {'/sys/fs/cgroup/memory.max': 'max'})) ?? '', /^ok 4\.0 GiB/);
});

test('another architecture and an old runtime fail', (t) => {
	t.regex(finding('processor', evidence({architecture: 'arm64'})) ?? '', /^fail .*guests are x86-64$/);
	t.regex(finding('node', evidence({nodeVersion: '20.1.0'})) ?? '', /^fail /);
});

test('the incubator is looked for in a checkout only', (t) => {
	t.regex(finding('incubator', evidence({program: () => undefined})) ?? '', /^warn no qemu/);
	t.is(finding('incubator', evidence({checkout: undefined})), undefined);
});

test('the host that runs this test is examined without failing', (t) => {
	const findings = examineHost(hostEvidence());
	t.deepEqual(
		['processor', 'kvm', 'memory', 'hugepages', 'node'].filter(
			(name) => !findings.some((found) => found.name === name),
		),
		[],
	);
});
