/**
 * Measures how long resets of a machine keep the main thread from everything else in the process: ten of them, of a machine
 * with a kernel of 16 MiB, an initrd of 64 MiB, all chipset devices and PCI functions behind 32 root ports. Two clones of it
 * show what another one costs. The guest is a script, so that no KVM is needed and no other thread is about.
 */
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setImmediate as nextTurn, setTimeout} from 'node:timers/promises';
import {vmConfig} from '#main/config';
import {makeBzImage} from '#main/loader/testing';
import {createVm, type Vm} from '#main/vm';
import {InProcessWorkers} from '#main/workers/testing';
import {FakeHypervisor} from '#vcpu-worker/hypervisor/testing';
import {report} from './report.ts';

const MiB = 2 ** 20;
const resets = 10;
const rounds = 3;
const rootPorts = 32;
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-reset-'));
const [kernel, initrd] = [join(folder, 'kernel'), join(folder, 'initrd')];
writeFileSync(kernel, makeBzImage({}, 16 * MiB));
writeFileSync(initrd, new Uint8Array(64 * MiB).fill(0x5a));

const bridge = {hotplug: false, acs: 0, pasid: false};
const config = vmConfig({
	memory: {sizeBytes: 256 * MiB},
	boot: {kind: 'linux', kernel, initrd, commandLine: []},
	devices: [],
	pcie: {
		rootComplexes: [
			{
				...{name: 'rc0', segment: 0, startBus: 0, endBus: 255},
				...{lowMmioBytes: 64 * MiB, highMmioBytes: 1024 * MiB, preserveBars: false},
			},
		],
		rootPorts: Array.from({length: rootPorts}, (_, index) => ({...bridge, rootComplex: 'rc0', name: `rp${index}`})),
		switches: [],
		ecamBelow4Gb: false,
	},
});

const machine = (): Promise<Vm> => {
	const hosted = {hypervisor: new FakeHypervisor([]), stock: new InProcessWorkers()};
	return createVm(config, {...hosted, start: true});
};

/** The longest time between two turns of the event loop meanwhile, and the longest that this thread was busy in one. */
async function longestStall(action: () => Promise<void>): Promise<{readonly wall: number; readonly busy: number}> {
	const longest = {wall: 0, busy: 0};
	let isOver = false;
	let last = {wall: performance.now(), busy: busyMs()};
	const turn = () => {
		const now = {wall: performance.now(), busy: busyMs()};
		longest.wall = Math.max(longest.wall, now.wall - last.wall);
		longest.busy = Math.max(longest.busy, now.busy - last.busy);
		last = now;
		if (!isOver) setImmediate(turn);
	};
	setImmediate(turn);
	await action();
	isOver = true;
	await nextTurn();
	return longest;
}

/** Processor time of this thread. */
function busyMs(): number {
	const {user, system} = process.threadCpuUsage();
	return (user + system) / 1000;
}

/** Gives this process's share of memory, in KiB (proc(5), smaps_rollup). */
const ownMemory = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]);

try {
	const samples = {wall: [] as number[], busy: [] as number[], each: [] as number[]};
	// A file that is as new as that is shared with nobody.
	await setTimeout(2500);
	const vm = await machine();
	await vm.reset();
	for (let round = 0; round < rounds; round++) {
		const start = performance.now();
		const {wall, busy} = await longestStall(async () => {
			for (let done = 0; done < resets; done++) {
				await vm.reset();
				await nextTurn();
			}
		});
		samples.wall.push(wall);
		samples.busy.push(busy);
		samples.each.push((performance.now() - start) / resets);
	}
	const before = ownMemory();
	const clones: Vm[] = [];
	const creation = await longestStall(async () => void clones.push(await machine()));
	const memory = (ownMemory() - before) / 1024;
	await Promise.all([vm, ...clones].map((each) => each.stop()));
	report('Ten resets, initrd of 64 MiB', [
		{name: 'longest stall', unit: 'ms', samples: samples.wall},
		{name: 'longest busy', unit: 'ms', samples: samples.busy},
		{name: 'each reset', unit: 'ms', samples: samples.each},
		{name: 'memory of another machine', unit: 'MiB', samples: [memory]},
		{name: 'longest busy at its creation', unit: 'ms', samples: [creation.busy]},
	]);
} finally {
	rmSync(folder, {recursive: true});
}
