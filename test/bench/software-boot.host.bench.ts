/**
 * Measures the boot of Debian's cloud kernel to user space on the software processor beside QEMU's (`-accel tcg`): the same kernel, initial
 * file system, command line and number of processors, both processes of this host, in turn. The guest powers off when it is up.
 */
import {spawnSync} from 'node:child_process';
import {join} from 'node:path';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const folder = join(process.cwd(), '.packages', 'linux');
const [kernel, initrd] = [join(folder, 'vmlinuz'), join(folder, 'initrd.cpio')];
const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const limitMs = 300_000;
const memory = '512M';

/** Boots of the same kernel that are measured. */
const boots = [1, 4].flatMap((processors) => [true, false].map((skipsSelfTests) => ({processors, skipsSelfTests})));

type Boot = (typeof boots)[number];

const wordsOf = ({skipsSelfTests}: Boot): string =>
	`console=ttyS0 quiet panic=-1 openvmm.test=report${skipsSelfTests ? ' cryptomgr.notests' : ''}`;

/** Gives the milliseconds of a process whose guest says that it is up. */
function bootMs(command: string, words: readonly string[]): number {
	const start = process.hrtime.bigint();
	const {stdout, status} = spawnSync(command, words, {
		stdio: ['ignore', 'pipe', 'ignore'],
		encoding: 'latin1',
		timeout: limitMs,
	});
	const taken = Number(process.hrtime.bigint() - start) / 1e6;
	if (!stdout.includes('openvmm-guest: ready'))
		throw new Error(`${command} ended with ${status}, and its guest was not up`);
	return taken;
}

const openvmm = (boot: Boot): number =>
	bootMs(process.execPath, [
		...[launcher, '--hypervisor', 'software', '-p', String(boot.processors), '-m', memory],
		...['-k', kernel, '-r', initrd, '--no-default-cmdline', '-c', wordsOf(boot)],
	]);

const qemu = (boot: Boot): number =>
	bootMs('qemu-system-x86_64', [
		...['-accel', 'tcg', '-smp', String(boot.processors), '-m', memory, '-nodefaults', '-no-reboot'],
		...['-display', 'none', '-serial', 'stdio', '-kernel', kernel, '-initrd', initrd, '-append', wordsOf(boot)],
	]);

for (const boot of boots) {
	const samples = {qemu: [] as number[], openvmm: [] as number[]};
	for (let round = 0; round < rounds; round++) {
		samples.qemu.push(qemu(boot));
		samples.openvmm.push(openvmm(boot));
	}
	const {processors, skipsSelfTests} = boot;
	const peer = 'QEMU TCG';
	const figures = [
		{name: peer, unit: 'ms', samples: samples.qemu},
		{name: 'openvmm', unit: 'ms', samples: samples.openvmm},
	];
	const title = `Boot of Debian's cloud kernel, ${processors} processors${skipsSelfTests ? ', cryptomgr.notests' : ''}`;
	report(title, figures, peer);
}
