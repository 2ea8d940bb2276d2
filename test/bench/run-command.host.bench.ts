/**
 * Measures what a person waits for with `openvmm run … -- true` and `openvmm run … IMAGE true` on the software processor, from a warm cache: from the start of the process to its end,
 * beside `node -e 0`, and of which parts that is, as the log of debugging has them.
 */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {makeImage, writeLayout} from '#main/oci/testing';
import {stockFiles} from '#test/stock-kernels';
import {busyboxSystem} from '../guests/testing/busybox-system.ts';
import {nowMs} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
/** They fill the caches of images, of compiled code and of pages. */
const warmUpRounds = 2;
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const {kernel, initrd} = stockFiles('cloud');
const env = {...process.env, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder, OPENVMM_LOG: 'debug'};
const machine = [
	...[launcher, 'run', '--rm', '-m', '512M', '--kernel', kernel, '--initrd', initrd],
	...['--cmdline', 'cryptomgr.notests'],
];
const image = makeImage({compression: 'gzip', layers: [await busyboxSystem()]});
/** What is run, as a person writes it. */
const runs: Readonly<Record<string, readonly string[]>> = {
	'run … -- true': [...machine, '--', 'busybox', 'true'],
	'run … IMAGE true': [...machine, `oci:${await writeLayout(join(folder, 'layout'), {v1: image})}`, 'busybox', 'true'],
};
/** Parts of a run by what begins them, in their order. */
const parts: Readonly<Record<string, string>> = {
	start: 'program start',
	image: 'image, found',
	kernel: 'kernel and initial file system, found',
	machine: 'machine made',
	boot: 'kernel boot, until the agent answers',
	ready: 'agent ready',
	command: 'the command',
	end: 'end',
};

async function timed(args: readonly string[]): Promise<{readonly wallMs: number; readonly said: string}> {
	const start = nowMs();
	const child = spawn(process.execPath, args, {env, stdio: ['ignore', 'ignore', 'pipe']});
	const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
	if (child.exitCode !== 0) throw new Error(`It ended with ${child.exitCode}: ${said}`);
	return {wallMs: nowMs() - start, said};
}

const samples: Record<string, number[]> = {};
try {
	for (let round = -warmUpRounds; round < rounds; round++) {
		const values: Record<string, number> = {'node -e 0': (await timed(['-e', '0'])).wallMs};
		for (const [run, words] of Object.entries(runs)) {
			const {wallMs, said} = await timed(words);
			const begins = [...said.matchAll(/Begins part=(\w+) atMs=(\d+)/g)].map(
				([, part = '', at]) => [part, Number(at)] as const,
			);
			const moments = [['start', 0] as const, ...begins, ['', wallMs] as const];
			values[`openvmm ${run}`] = wallMs;
			for (const [index, [part, at]] of moments.slice(0, -1).entries())
				values[`${run}: ${parts[part] ?? part}`] = (moments[index + 1]?.[1] ?? at) - at;
		}
		if (round < 0) continue;
		for (const [name, value] of Object.entries(values)) {
			samples[name] ??= [];
			samples[name].push(value);
		}
	}
} finally {
	rmSync(folder, {recursive: true, force: true});
}
const figures = Object.entries(samples).map(([name, values]) => ({name, unit: 'ms', samples: values}));
report('A command in a machine of its own, on the software processor', figures, 'node -e 0');
