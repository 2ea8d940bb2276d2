/** Process start to the first guest instruction, beside `node -e 0`. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {report} from './report.ts';

const rounds = 7;
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
/** The embedded guest's first instruction writes to this port when asked to. */
const markerPort = '0x80';

async function nodeMs(): Promise<number> {
	const start = process.hrtime.bigint();
	await once(spawn(process.execPath, ['-e', '0'], {stdio: 'ignore'}), 'exit');
	return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Until the marker arrives on the program's standard output. */
async function openvmmMs(processors: number): Promise<number> {
	const start = process.hrtime.bigint();
	const flags = ['-p', String(processors), '-c', 'boot-marker work=1000', '--debugcon', `${markerPort},console`];
	const child = spawn(process.execPath, [launcher, ...flags, '--com1', 'none'], {
		stdio: ['ignore', 'pipe', 'inherit'],
		// The home folder may be read-only here; a user's is not.
		env: {...process.env, XDG_CACHE_HOME: cache},
	});
	await once(child.stdout, 'data');
	const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
	child.stdout.resume();
	await once(child, 'exit');
	return elapsed;
}

const cache = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const samples: Record<string, number[]> = {'node -e 0': [], '1 processor': [], '2 processors': []};
// The first round fills the compile cache and the page cache.
for (let round = -1; round < rounds; round++) {
	const values = [await nodeMs(), await openvmmMs(1), await openvmmMs(2)];
	console.log(`  round ${round}: ${values.map((value) => value.toFixed(0)).join(', ')} ms`);
	if (round >= 0) for (const [index, list] of Object.values(samples).entries()) list.push(values[index] ?? Number.NaN);
}
report(
	'Process start to first guest instruction',
	Object.entries(samples).map(([name, values]) => ({name, unit: 'ms', samples: values})),
	'node -e 0',
);
rmSync(cache, {recursive: true, force: true});
