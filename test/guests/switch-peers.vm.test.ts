import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {findProgram} from '#test/incubator';
import {backEndHere, patience, runsStockKernels, until, untilThere, vmTest} from '#test/petri';
import {hasStockKernel, stockFiles} from '#test/stock-kernels';
import {testFolder} from './testing/api-machine.ts';

const {kernel, initrd} = stockFiles('cloud');
const memory = '256M';
const sum = (name: string, file: string) => `echo ${name}=$(md5sum <${file} | cut -c -32)`;
const take = (port: number) => `nc -l -p ${port} </f >/g; ${sum('got', '/g')}`;
const give = (port: number, address: string) => until(`nc ${address} ${port} </s`);

/** The kernel's words for a guest that pings another one, and gives and takes a megabyte. @param talk - in what order */
const words = (own: string, other: string, talk: readonly string[]) => {
	const lines = [
		'modprobe -a virtio_pci virtio_mmio virtio_net',
		untilThere('/sys/class/net/eth0'),
		`ip addr add ${own}/24 dev eth0; ip link set eth0 up`,
		`${until(`ping -c 1 -W 2 ${other} >/dev/null`)}; echo ping=ok`,
		`dd if=/dev/urandom of=/s bs=64k count=16 2>/dev/null; ${sum('sent', '/s')}`,
		// Who takes ends with the other side, not with what it has to give: somebody holds that open.
		'mkfifo /f; (sleep 9999 >/f &)',
		...talk,
		'echo all=done; sleep 9999',
	];
	const run = `OPENVMM_RUN="${lines.join('; ')}"`;
	return ['console=ttyS0', 'quiet', 'cryptomgr.notests', 'no_timer_check', ...patience, run].join(' ');
};

const [here, there] = ['10.0.0.1', '10.0.0.2'];
const listening = words(here, there, [take(5000), give(5001, there)]);
const joining = words(there, here, [give(5000, here), take(5001)]);

const openvmm = (endpoint: string, commandLine: string): [string, ...string[]] => [
	...([process.execPath, join(process.cwd(), 'src/main/cli/launcher.mjs'), '--hypervisor', backEndHere] as const),
	...['-m', memory, '--virtio-net', endpoint, '-k', kernel, '-r', initrd, '-c', commandLine],
];

/** Who joins a switch by its socket. */
const peers: Readonly<Record<string, (socket: string) => [string, ...string[]]>> = {
	'another openvmm': (socket) => openvmm(`stream:connect=${socket}`, joining),
	QEMU: (socket) => [
		...(['qemu-system-x86_64', '-accel', 'tcg', '-nodefaults', '-no-reboot', '-display', 'none'] as const),
		...['-serial', 'stdio', '-m', memory, '-kernel', kernel, '-initrd', initrd, '-append', joining],
		...['-netdev', `stream,id=lan,server=off,addr.type=unix,addr.path=${socket}`],
		...['-device', 'virtio-net-pci,netdev=lan'],
	],
};

/** A machine in a process of its own, which is killed when its test ends. */
function start(t: ExecutionContext, [program, ...parts]: [string, ...string[]]) {
	const child = spawn(program, parts, {stdio: ['ignore', 'pipe', 'pipe']});
	t.teardown(() => child.kill('SIGKILL'));
	let output = '';
	for (const stream of [child.stdout, child.stderr])
		stream.setEncoding('latin1').on('data', (text: string) => {
			output += text;
		});
	const isOver = () => child.exitCode !== null || child.signalCode !== null;
	return {
		get output() {
			return output;
		},
		async until(condition: () => boolean): Promise<void> {
			for (; !condition(); await sleep(50)) if (isOver()) throw new Error(`${program} has ended: ${output}`);
		},
		/** What the guest says by this name. */
		said: (name: string) => new RegExp(`^${name}=(\\w+)\\r?$`, 'm').exec(output)?.[1],
	};
}

for (const [peer, command] of Object.entries(peers))
	vmTest(
		`guests of openvmm and of ${peer} talk by a switch's socket`,
		{
			on: ['software'],
			skip: !hasStockKernel() || !runsStockKernels() || (peer === 'QEMU' && !findProgram('qemu-system-x86_64')),
		},
		async (t) => {
			t.timeout(600_000);
			const socket = join(testFolder(t, 'lan'), 'lan');
			const own = start(t, openvmm(`switch:lan,listen=${socket}`, listening));
			await own.until(() => existsSync(socket));
			const other = start(t, command(socket));
			t.teardown(() => {
				if (!t.passed) t.log(own.output, other.output);
			});
			for (const each of [own, other]) await each.until(() => each.said('all') === 'done');
			for (const {said} of [own, other]) {
				t.is(said('ping'), 'ok');
				t.regex(said('sent') ?? '', /^[\da-f]{32}$/);
			}
			t.is(own.said('got'), other.said('sent'));
			t.is(other.said('got'), own.said('sent'));
		},
	);
