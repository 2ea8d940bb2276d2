/**
 * Measures what a program waits for with a machine of Debian's kernel on the software processor: a command that does nothing, beside what the guest takes
 * for one by itself, a question to its agent, and forks until they answer.
 */
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {VM} from '#main/api';
import {stockFiles} from '#test/stock-kernels';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 50);
const warmRounds = 200;
const ownCommands = 200;
const forkRounds = 5;
const partRounds = 50;
const command = ['/bin/busybox', 'true'] as const;
const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-api-'));
const {kernel, initrd} = stockFiles('cloud');

async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = performance.now();
	await work();
	return performance.now() - start;
}

/** Parts of what something took: time in milliseconds, and millions of guest instructions. */
interface Parts {
	/** The processor's thread executed. */
	readonly busy: number;
	/** It was to execute, and another had the host's core. */
	readonly kept: number;
	/** The guest had nothing to do, and waited for us. */
	readonly idle: number;
	readonly instructions: number;
}

/** Takes apart what so many of a work take, of a machine with one processor (Linux: Documentation/scheduler/sched-stats.rst). */
async function takenApart(vm: VM, count: number, work: () => Promise<unknown>): Promise<Parts> {
	const {thread} = (await vm.inspect('vm/workers/vcpu-0')) as {thread: number};
	const look = async () => {
		const instructions = Number(await vm.inspect('vm/vcpus/0/counters/instructions')) / 1e6;
		const [busy, kept] = readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ').map(Number);
		return {busy: (busy as number) / 1e6, kept: (kept as number) / 1e6, at: performance.now(), instructions};
	};
	const before = await look();
	await work();
	const after = await look();
	const [busy, kept] = [after.busy - before.busy, after.kept - before.kept];
	const idle = Math.max(0, after.at - before.at - busy - kept);
	return {
		...{busy: busy / count, kept: kept / count, idle: idle / count},
		instructions: (after.instructions - before.instructions) / count,
	};
}

const many = async <T>(count: number, work: () => Promise<T>) => {
	const samples: T[] = [];
	for (let round = 0; round < count; round++) samples.push(await work());
	return samples;
};

try {
	const made = performance.now();
	await using vm = await VM.create({
		kernel: {kernel, cache: folder},
		initrd,
		memory: '512M',
		machine: {hypervisor: 'software'},
		commandLine: ['cryptomgr.notests'],
	});
	const createMs = performance.now() - made;
	await many(warmRounds, () => timed(() => vm.exec(command)));
	const exec = await many(rounds, () => timed(() => vm.exec(command)));
	const ask = await many(rounds, () => timed(() => vm.files.stat('/')));
	// What of it is the guest's: a shell that starts the same program.
	const loop = `i=0; while [ $i -lt ${ownCommands} ]; do ${command.join(' ')}; i=$((i + 1)); done`;
	const own = await many(5, async () => (await timed(() => vm.exec(loop))) / ownCommands);
	report(
		'A command that does nothing, in a guest on the software processor',
		[
			{name: 'by the guest’s own shell', unit: 'ms', samples: own},
			{name: 'vm.exec', unit: 'ms', samples: exec},
			{name: 'a question to the agent', unit: 'ms', samples: ask},
		],
		'by the guest’s own shell',
	);
	const works = [
		{name: 'by the guest’s own shell', count: ownCommands, work: () => vm.exec(loop)},
		{name: 'vm.exec', count: partRounds, work: () => many(partRounds, () => vm.exec(command))},
		{name: 'a question to the agent', count: partRounds, work: () => many(partRounds, () => vm.files.stat('/'))},
	];
	const parts = works.map((each) => ({...each, samples: [] as Parts[]}));
	for (let round = 0; round < 5; round++)
		for (const {count, work, samples} of parts) samples.push(await takenApart(vm, count, work));
	for (const [part, unit] of [
		['instructions', 'M guest instructions'],
		['busy', 'ms'],
		['kept', 'ms'],
		['idle', 'ms'],
	] as const)
		report(
			`Of each, ${part}`,
			parts.map(({name, samples}) => ({name, unit, samples: samples.map((sample) => sample[part])})),
			'by the guest’s own shell',
		);
	const forks: number[] = [];
	const first: number[] = [];
	const snapshots: number[] = [];
	for (let round = 0; round < forkRounds; round++) {
		snapshots.push(
			await timed(async () => {
				const snapshot = await vm.machine.snapshotInMemory();
				snapshot.close();
			}),
		);
		const start = performance.now();
		const [fork] = await vm.fork(1);
		forks.push(performance.now() - start);
		first.push(await timed(() => (fork as VM).exec(command)));
		await fork?.[Symbol.asyncDispose]();
	}
	const two = await many(forkRounds, () =>
		timed(async () => {
			for (const fork of await vm.fork(2)) await fork[Symbol.asyncDispose]();
		}),
	);
	report('A machine of 512 MiB with Debian’s kernel', [
		{name: 'VM.create, until it answers', unit: 'ms', samples: [createMs]},
		{name: 'its memory, copied', unit: 'ms', samples: snapshots},
		{name: 'fork(1), until it answers', unit: 'ms', samples: forks},
		{name: 'the first command in it', unit: 'ms', samples: first},
		{name: 'fork(2), and their end', unit: 'ms', samples: two},
	]);
} finally {
	rmSync(folder, {recursive: true});
}
