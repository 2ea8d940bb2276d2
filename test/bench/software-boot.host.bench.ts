/**
 * Measures the boot of Debian's cloud kernel to user space on the software processor beside QEMU's (`-accel tcg`): the same kernel, initial
 * file system, command line and number of processors, both processes of this host, in turn. The guest powers off when it is up.
 */

import {stockFiles} from '#test/stock-kernels';
import {both, GuestProcess, peer} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);

/** Boots of the same kernel that are measured. */
const boots = [1, 4].flatMap((processors) => [true, false].map((skipsSelfTests) => ({processors, skipsSelfTests})));

type Boot = (typeof boots)[number];

const wordsOf = ({skipsSelfTests}: Boot): string =>
	`console=ttyS0 quiet panic=-1 openvmm.test=report${skipsSelfTests ? ' cryptomgr.notests' : ''}`;

/** Gives wall and processor time of a process whose guest says that it is up. */
async function measure(who: string, boot: Boot): Promise<readonly [wallMs: number, cpuMs: number]> {
	const guest = new GuestProcess(who, {
		...stockFiles('cloud'),
		words: wordsOf(boot),
		memoryMib: 512,
		processors: boot.processors,
	});
	await guest.said('openvmm-guest: ready');
	// It powers off from here on, and then its threads cannot be asked any more.
	const cpuMs = guest.cpuMs();
	return [(await guest.ended()) - guest.startMs, cpuMs];
}

for (const boot of boots) {
	const samples = both.map((name) => ({name, wall: [] as number[], cpu: [] as number[]}));
	for (let round = 0; round < rounds; round++) {
		for (const {name, wall, cpu} of samples) {
			const [wallMs, cpuMs] = await measure(name, boot);
			wall.push(wallMs);
			cpu.push(cpuMs);
		}
	}
	const {processors, skipsSelfTests} = boot;
	const title = `Boot of Debian's cloud kernel, ${processors} processors${skipsSelfTests ? ', cryptomgr.notests' : ''}`;
	const figures = (kind: 'wall' | 'cpu') => samples.map((each) => ({name: each.name, unit: 'ms', samples: each[kind]}));
	report(title, figures('wall'), peer);
	report(`${title}: processor time until it is up`, figures('cpu'), peer);
}
