/**
 * Measures how fast code runs on the software processor beside QEMU's (`-accel tcg`): a hot loop, mixed code, and reads of a port
 * that a device serves. Both boot the same kernel, which says on its console when it begins each. Of each the processor time of the whole
 * process is taken, so that other work of the host counts little.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {both, GuestProcess, peer} from './guest-process.ts';
import {report} from './report.ts';
import {letterOf, speedKernel, speedParts} from './speed-kernel.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const kernel = join(folder, 'kernel');

/** What each part comes to, in its unit. */
async function measure(who: string): Promise<number[]> {
	const guest = new GuestProcess(who, {kernel, words: '', memoryMib: 64, processors: 1});
	try {
		const times: number[] = [];
		for (let part = 0; part <= speedParts.length; part++) {
			await guest.said(letterOf(part));
			times.push(guest.cpuMs());
		}
		return speedParts.map((part, index) =>
			part.figure(((times[index + 1] as number) - (times[index] as number)) / part.rounds),
		);
	} finally {
		await guest.kill();
	}
}

try {
	writeFileSync(kernel, speedKernel());
	const samples = both.map((name) => ({name, rounds: [] as number[][]}));
	for (let round = 0; round < rounds; round++) for (const each of samples) each.rounds.push(await measure(each.name));
	for (const [index, {name, unit}] of speedParts.entries()) {
		const figures = samples.map((each) => ({
			name: each.name,
			unit,
			samples: each.rounds.map((round) => round[index] as number),
		}));
		report(`Software processor: ${name}`, figures, peer);
	}
} finally {
	rmSync(folder, {recursive: true, force: true});
}
