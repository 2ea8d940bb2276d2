/**
 * Measures how long the software processor lets a user wait, beside `node -e 0`: from process start to the guest's first instruction, and
 * to the end of the embedded guest on two processors, which is what `npm start` runs when it has built. The first instruction stores to
 * RAM, which is a file that this process looks at. What no program of this shape comes below is measured beside it: see `least-start.mjs`.
 */
import {type SpawnOptions, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {nowMs} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
/** They fill the compile cache and the page cache. */
const warmUpRounds = 2;
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const leastProgram = ['test/bench/least-start.mjs', 'dist/interpreter.wasm', 'node_modules/koffi'].map((path) =>
	join(process.cwd(), path),
);
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const [image, ram] = [join(folder, 'guest.bin'), join(folder, 'ram')];
const mark = 0x20_0000;
const ramBytes = 2 ** 26;
const options: SpawnOptions = {stdio: 'ignore', env: {...process.env, XDG_CACHE_HOME: folder}};
/** MOV BYTE PTR [mark],1; CLI; HLT. */
writeFileSync(image, Uint8Array.of(0xc6, 0x04, 0x25, 0, 0, mark >> 16, 0, 1, 0xfa, 0xf4));

async function toEndMs(...words: string[]): Promise<number> {
	const start = nowMs();
	await once(spawn(process.execPath, words, options), 'exit');
	return nowMs() - start;
}

const toFirstInstructionMs = (processors: number): Promise<number> =>
	toFirstStoreMs(
		...[launcher, '--hypervisor', 'software', '-p', `${processors}`, '-m', `size=64M,file=${ram}`, '--flat', image],
	);

async function toFirstStoreMs(...words: string[]): Promise<number> {
	writeFileSync(ram, new Uint8Array(ramBytes));
	const file = openSync(ram, 'r');
	const byte = new Uint8Array(1);
	const start = nowMs();
	const child = spawn(process.execPath, words, options);
	const pause = new Int32Array(new SharedArrayBuffer(4));
	while (byte[0] === 0) {
		Atomics.wait(pause, 0, 0, 0.2);
		readSync(file, byte, 0, 1, mark);
		if (nowMs() - start > 60_000) throw new Error('Nobody stores to RAM');
	}
	const taken = nowMs() - start;
	closeSync(file);
	child.kill('SIGKILL');
	await once(child, 'exit');
	return taken;
}

const samples: Record<string, number[]> = {};
try {
	for (let round = -warmUpRounds; round < rounds; round++) {
		const values = {
			'node -e 0': await toEndMs('-e', '0'),
			'least program of this shape': await toFirstStoreMs(...leastProgram, ram, `${ramBytes}`, `${mark}`),
			'first instruction, 1 processor': await toFirstInstructionMs(1),
			'first instruction, 8 processors': await toFirstInstructionMs(8),
			'embedded guest to its end, 2 processors': await toEndMs(launcher, '--hypervisor', 'software', '-p', '2'),
		};
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
report('Start on the software processor', figures, 'node -e 0');
