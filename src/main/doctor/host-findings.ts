import {hostObstacle} from '#support/host';
import type {Finding} from '#vcpu-worker/hypervisor';
import type {Evidence} from './evidence.ts';

const GiB = 2 ** 30;
const neededNodeMajor = 24;

/** The processor and the kernel, and what keeps anything from running on such a host. */
export function processorFindings({read, host, kernelRelease}: Evidence): Finding[] {
	const info = read('/proc/cpuinfo') ?? '';
	const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1] ?? 'unknown';
	const count = info.match(/^processor\s*:/gm)?.length ?? 0;
	const text = `${count} × ${field('model name')} (${field('vendor_id')}), Linux ${kernelRelease}`;
	const obstacle = hostObstacle(host);
	if (obstacle === undefined) return [{name: 'processor', level: 'ok', text}];
	const {message, remedy} = obstacle;
	return [{name: 'host', level: 'fail', text: `${text}: ${message}`, remedy}];
}

/**
 * Reports the hypervisors that can run guests, and the one that does where nobody asks for another. A hypervisor that is not
 * needed is no failure.
 */
export function hypervisorFindings(evidence: Evidence): Finding[] {
	const {hypervisors, chosen} = evidence;
	const findings = hypervisors.flatMap((one) => {
		const spare = chosen !== undefined && one.kind !== chosen.hypervisor.kind;
		return one.examine(evidence).map((found) => (spare && found.level === 'fail' ? warning(found) : found));
	});
	if (chosen === undefined) return findings;
	const text = `machines run on ${chosen.hypervisor.kind} unless --hypervisor says otherwise: ${chosen.reason}`;
	return [...findings, {name: 'hypervisor', level: 'ok', text}];
}

const warning = (finding: Finding): Finding => ({...finding, level: 'warn'});

/** Memory for guests, and the pools of huge pages. */
export function memoryFindings({read}: Evidence): Finding[] {
	const info = read('/proc/meminfo') ?? '';
	const bytes = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(info)?.[1] ?? 0);
	const limit = Number(read('/sys/fs/cgroup/memory.max') ?? Number.NaN);
	const available = Math.min(bytes('MemAvailable'), Number.isNaN(limit) ? Number.POSITIVE_INFINITY : limit);
	const text = `${gibibytes(available)} available of ${gibibytes(bytes('MemTotal'))}`;
	const free = Number(/^HugePages_Free:\s*(\d+)/m.exec(info)?.[1] ?? 0);
	const total = Number(/^HugePages_Total:\s*(\d+)/m.exec(info)?.[1] ?? 0);
	return [
		available >= GiB
			? {name: 'memory', level: 'ok', text}
			: {
					name: 'memory',
					level: 'warn',
					text: `${text}: less than the default machine's 1 GiB`,
					remedy: 'Use --memory with less, for example --memory 256M',
				},
		{
			name: 'hugepages',
			level: 'ok',
			text:
				total === 0
					? 'no huge pages are reserved: --memory hugepages needs some in /proc/sys/vm/nr_hugepages'
					: `${free} of ${total} huge pages free, ${bytes('Hugepagesize') / 1024} KiB each`,
		},
	];
}

/** The JavaScript runtime. */
export function runtimeFindings({nodeVersion, nodePath}: Evidence): Finding[] {
	const text = `Node.js ${nodeVersion} (${nodePath})`;
	if (Number(nodeVersion.split('.')[0]) >= neededNodeMajor) return [{name: 'node', level: 'ok', text}];
	const remedy = 'Start openvmm by its launcher, which switches to the runtime package';
	return [{name: 'node', level: 'fail', text: `${text} is older than ${neededNodeMajor}`, remedy}];
}

/** Finds in a checkout what its tests can use. */
export function checkoutFindings({checkout, program}: Evidence): Finding[] {
	if (checkout === undefined) return [];
	const name = 'incubator';
	const qemu = program('qemu-system-x86_64');
	if (qemu !== undefined) {
		return [
			{name, level: 'ok', text: `${qemu} is there: tests can run in an emulated host with KVM (npm run incubator)`},
		];
	}
	const text = 'no qemu-system-x86_64: tests that need an emulated host with KVM are skipped';
	return [{name, level: 'warn', text, remedy: 'apt-get install qemu-system-x86'}];
}

const gibibytes = (bytes: number) => `${(bytes / GiB).toFixed(1)} GiB`;
