/**
 * Measures what a program waits for with a machine of Debian's kernel on the software processor: a command that does nothing, beside what the guest takes
 * for one by itself, a question to its agent, and forks until they answer.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {VM} from '#main/api';
import {stockFiles} from '#test/stock-kernels';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 50);
const warmRounds = 200;
const ownCommands = 200;
const forkRounds = 5;
const command = ['/bin/busybox', 'true'] as const;
const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-api-'));
const {kernel, initrd} = stockFiles('cloud');

async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = performance.now();
	await work();
	return performance.now() - start;
}

const many = async (count: number, work: () => Promise<number>) => {
	const samples: number[] = [];
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
