/**
 * Measures programs of Debian's Node.js and Java, which compile what they run, in a guest of the software processor beside one of QEMU's (`-accel tcg`):
 * the same kernel, initial file system, disk and command line, one processor. Aim: half of QEMU's speed.
 */
import {mountRuntimes, runtimes, runtimesDisk} from '#test/runtimes';
import {stockFiles} from '#test/stock-kernels';
import {both, patience, peer} from './guest-process.ts';
import {benchWork} from './guest-work.ts';

const works = [
	{name: 'node', times: 4, answer: 332_518_466},
	{name: 'java', times: 4, answer: 1_214_707_843},
] as const;

const runs = works.map(({name, times}) => `${runtimes[name]} ${name} ${times}`);
await benchWork({
	title: 'Runtimes that compile',
	works,
	guest: {
		...stockFiles('cloud'),
		words: `console=ttyS0 quiet panic=-1 cryptomgr.notests ${patience} OPENVMM_RUN="${[...mountRuntimes, ...runs].join('; ')}"`,
		...{memoryMib: 1024, processors: 1, disks: {runtimes: runtimesDisk}},
	},
	machines: both,
	peer,
	programs: [],
});
