/** Process start to the first guest instruction, beside `node -e 0`, and to the guest's first byte on the console. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {armFirstEntry, endTracing, firstEntryMs, prepareTracing} from './kvm-trace.ts';
import {report} from './report.ts';

const rounds = 11;
/** They fill the compile cache and the page cache, and the emulator's cache of translated code. */
const warmUpRounds = 4;
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');

const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

async function nodeMs(): Promise<number> {
	const start = nowMs();
	await once(spawn(process.execPath, ['-e', '0'], {stdio: 'ignore'}), 'exit');
	return nowMs() - start;
}

/** Measures what the user waits for, as the kernel and the reader of standard output see it. */
async function openvmmMs(processors: number): Promise<{instruction: number; console: number}> {
	armFirstEntry();
	const start = nowMs();
	const child = spawn(process.execPath, [launcher, '-p', String(processors), '-c', 'work=1000'], {
		stdio: ['ignore', 'pipe', 'inherit'],
		// The home folder may be read-only here; a user's is not.
		env: {...process.env, XDG_CACHE_HOME: cache},
	});
	await once(child.stdout, 'data');
	const console = nowMs() - start;
	child.stdout.resume();
	await once(child, 'exit');
	return {instruction: (firstEntryMs() ?? Number.NaN) - start, console};
}

const cache = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const samples: Record<string, number[]> = {};
prepareTracing();
try {
	for (let round = -warmUpRounds; round < rounds; round++) {
		const [node, one, two] = [await nodeMs(), await openvmmMs(1), await openvmmMs(2)];
		const values = {
			'node -e 0': node,
			'first instruction, 1 processor': one.instruction,
			'first instruction, 2 processors': two.instruction,
			'first console output, 1 processor': one.console,
		};
		console.log(`  round ${round}: ${Object.values(values).map(Math.round).join(', ')} ms`);
		if (round < 0) continue;
		for (const [name, value] of Object.entries(values)) {
			samples[name] ??= [];
			samples[name].push(value);
		}
	}
} finally {
	endTracing();
	rmSync(cache, {recursive: true, force: true});
}
const figures = Object.entries(samples).map(([name, values]) => ({name, unit: 'ms', samples: values}));
report('Process start', figures, 'node -e 0');
