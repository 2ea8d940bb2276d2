import test from 'ava';
import type {Finding} from '#vcpu-worker/hypervisor';
import {canRun, type Evidence, examineHost, findingsText, hostEvidence} from './index.ts';

const cpuinfo = (flags: string) =>
	`processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: ${flags}\n\nprocessor\t: 1\nvendor_id\t: AuthenticAMD\n`;
const meminfo = (availableKib: number) =>
	`MemTotal: 8388608 kB\nMemAvailable: ${availableKib} kB\nHugePages_Total: 4\nHugePages_Free: 2\nHugepagesize: 2048 kB\n`;

const fine: Finding = {name: 'kvm', level: 'ok', text: '/dev/kvm works'};
const missing: Finding = {name: 'kvm', level: 'fail', text: 'No KVM', remedy: 'Load it'};

const kvm = {kind: 'kvm', examine: () => [fine]};
const withoutKvm = {kind: 'kvm', examine: () => [missing]};

const x86Host = {architecture: 'x64', version: 'v24.21.0', loader: '/lib64/ld-linux-x86-64.so.2'};

/** A healthy host, but for `changes`. */
function evidence(changes: Partial<Evidence> = {}, files: Record<string, string> = {}): Evidence {
	const all: Record<string, string> = {
		'/proc/cpuinfo': cpuinfo('fpu svm'),
		'/proc/meminfo': meminfo(4194304),
		...files,
	};
	return {
		read: (path) => all[path],
		exists: (path) => path in all,
		program: () => '/usr/bin/qemu-system-x86_64',
		hypervisors: [kvm],
		chosen: {hypervisor: kvm, reason: 'it works'},
		kernelRelease: '6.1.0-test',
		host: x86Host,
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

test('a healthy host is ok in every line', (t) => {
	const findings = examineHost(evidence());
	t.deepEqual(
		findings.filter(({level}) => level !== 'ok'),
		[],
	);
	t.true(canRun(findings));
	t.snapshot(findingsText(findings));
});

test('without a hypervisor no guest can run, and the remedy is there', (t) => {
	const findings = examineHost(evidence({hypervisors: [withoutKvm], chosen: undefined}));
	t.false(canRun(findings));
	t.regex(findingsText(findings), /FAIL {2}kvm +No KVM\n +Load it\n/);
	t.regex(findingsText(findings), /No guest can run here\n$/);
});

test('a hypervisor that is missed where another one works is a warning', (t) => {
	const hypervisor = {kind: 'other', examine: () => []};
	const findings = examineHost(
		evidence({hypervisors: [withoutKvm, hypervisor], chosen: {hypervisor, reason: 'No KVM'}}),
	);
	t.true(canRun(findings));
	t.regex(
		findingsText(findings),
		/warn {2}kvm +No KVM\n(.*\n)*ok {4}hypervisor +machines run on other unless .*: No KVM\n/,
	);
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

test('another architecture, another C library and an old runtime fail', (t) => {
	t.regex(
		finding('host', evidence({host: {...x86Host, architecture: 'arm64'}})) ?? '',
		/^fail .*: This host is arm64, /,
	);
	const musl = evidence({host: {...x86Host, loader: '/lib/ld-musl-x86_64.so.1'}});
	t.regex(finding('host', musl) ?? '', /^fail .* is made for the C library musl /);
	t.false(canRun(examineHost(musl)));
	t.regex(finding('node', evidence({nodeVersion: '20.1.0'})) ?? '', /^fail /);
});

test('the incubator is looked for in a checkout only', (t) => {
	t.regex(finding('incubator', evidence({program: () => undefined})) ?? '', /^warn no qemu/);
	t.is(finding('incubator', evidence({checkout: undefined})), undefined);
});

test('the host that runs this test is examined without failing', async (t) => {
	const findings = examineHost(await hostEvidence());
	t.deepEqual(
		['processor', 'kvm', 'memory', 'hugepages', 'node'].filter(
			(name) => !findings.some((found) => found.name === name),
		),
		[],
	);
});
