import {spawn, spawnSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {vmTest} from '#test/petri';
import {hasStockKernel, stockFiles} from '#test/stock-kernels';
import {refusingFilter} from './testing/seccomp-filter.ts';

/**
 * What a container gives a program: another user than root, nothing of the host's but to read, no device but the usual ones, 64 MiB of
 * shared memory, and a MiB of temporary files. The checkout may lie among those.
 */
const container = [
	...['--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--uid', '1000', '--gid', '1000'],
	...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--size', `${64 * 2 ** 20}`, '--tmpfs', '/dev/shm'],
	...['--size', `${2 ** 20}`, '--tmpfs', '/tmp', '--ro-bind', process.cwd(), process.cwd(), '--chdir', process.cwd()],
	...['--clearenv', '--setenv', 'HOME', '/nonexistent', '--setenv', 'PATH', '/usr/bin:/bin'],
];

/** System calls that Docker's standard profile refuses a program without capabilities, of those one like ours could come to make. */
const refused = {
	EPERM: {
		io_uring_setup: 425,
		io_uring_enter: 426,
		io_uring_register: 427,
		userfaultfd: 323,
		get_mempolicy: 239,
		set_mempolicy: 238,
		mbind: 237,
		perf_event_open: 298,
		bpf: 321,
		process_madvise: 440,
		pidfd_getfd: 438,
		kcmp: 312,
		keyctl: 250,
		unshare: 272,
		setns: 308,
		mount: 165,
	},
	// So that the C library falls back on clone.
	ENOSYS: {clone3: 435},
} as const;

const directory = mkdtempSync(join(tmpdir(), 'openvmm-container-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const filter = join(directory, 'filter');
writeFileSync(filter, refusingFilter(refused));

function obstacle(): string | undefined {
	const {error, status, stderr} = spawnSync('bwrap', [...container, 'true'], {encoding: 'utf8'});
	if (error !== undefined) return 'bubblewrap is not installed';
	return status === 0 ? undefined : `bubblewrap cannot make a container here: ${stderr.trim()}`;
}

const why = obstacle();
if (why !== undefined) console.log(`Tests of containers are skipped: ${why}`);
const contained = {on: ['software'], skip: why !== undefined} as const;

/** Runs a command in the container, without input. */
async function run(command: readonly string[], more: readonly string[] = []) {
	const filterFd = openSync(filter, 'r');
	const words = [...container, ...more, '--seccomp', '3', ...command];
	const child = spawn('bwrap', words, {stdio: ['ignore', 'pipe', 'pipe', filterFd]});
	closeSync(filterFd);
	const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
	const [stdout, stderr, status] = await Promise.all([
		text(child.stdout as Readable),
		text(child.stderr as Readable),
		ended,
	]);
	return {stdout, stderr, status};
}

const openvmm = [process.execPath, join(process.cwd(), 'src/main/cli/launcher.mjs')];
const onSoftware = /^openvmm: warn: The machine runs on software: No KVM on this host: [^\n]*\n/m;

vmTest('an ordinary user in a container boots a guest of two processors', contained, async (t) => {
	const {stdout, stderr, status} = await run([...openvmm, '-p', '2', '-c', 'work=1000']);
	t.regex(stdout, /CPUs: 2 found, 2 running[\s\S]*: OK\r?\nPowering off/);
	t.is(stderr.replace(onSoftware, ''), '');
	t.is(status, 0);
});

vmTest('where nothing can be written, a machine has no control socket, and a line says so', contained, async (t) => {
	const readOnly = ['--remount-ro', '/tmp', '--remount-ro', '/dev/shm'];
	const {stdout, stderr, status} = await run([...openvmm, '-p', '2', '-c', 'work=1000'], readOnly);
	t.regex(stdout, /CPUs: 2 found, 2 running[\s\S]*: OK\r?\nPowering off/);
	t.regex(
		stderr.replace(onSoftware, ''),
		/^openvmm: warn: The control socket [^\n]* the machine runs without one [^\n]*\n$/,
	);
	t.is(status, 0);
});

vmTest('its container is what these tests say: another user, refused calls, no KVM', contained, async (t) => {
	const look = `
		const {spawnSync} = require('node:child_process');
		const koffi = require('koffi');
		const {constants: {errno}} = require('node:os');
		const call = koffi.load(null).func('long syscall(long number, long a, long b, long c)');
		const errnos = [${Object.values(refused.EPERM).join()}].map((number) => call(number, 0, 0, 0) === -1 && koffi.errno());
		console.log(JSON.stringify([process.getuid(), require('node:fs').existsSync('/dev/kvm'), [...new Set(errnos)], errno.EPERM]));`;
	const {stdout, stderr} = await run([process.execPath, '--eval', look]);
	t.is(stdout.trim(), '[1000,false,[1],1]', stderr);
});

vmTest(
	'a Debian kernel boots in the container with two processors to user space',
	{...contained, skip: contained.skip || !hasStockKernel()},
	async (t) => {
		const {kernel, initrd} = stockFiles('cloud');
		const parameters = ['console=ttyS0', 'quiet', 'cryptomgr.notests', 'openvmm.test=report'];
		const {stdout, stderr, status} = await run([
			...[...openvmm, '-k', kernel, '-r', initrd, '-m', '256M', '-p', '2'],
			...['-c', parameters.join(' ')],
		]);
		t.regex(stdout, /^openvmm-guest: cpus=2\r?$/m);
		t.is(stderr.replace(onSoftware, ''), '');
		t.is(status, 0);
	},
);

vmTest('a memory file larger than its file system is refused with both sizes', contained, async (t) => {
	const {stderr, status} = await run([...openvmm, '-m', 'size=128M,file=/dev/shm/ram']);
	t.regex(
		stderr,
		/^openvmm: Memory file "\/dev\/shm\/ram" can come to hold 64MB on its file system, the machine has 128MB\. .*\[CONFIG_MEMORY_FILE_ROOM\]\n$/,
	);
	t.is(status, 7);
});

vmTest('a file system that others fill under a guest ends its machine with a line', contained, async (t) => {
	const command = openvmm.join(' ');
	const script = `
		${command} --name filled -P -m size=48M,file=/dev/shm/ram &
		machine=$!
		until ${command} ps | grep -q created; do sleep 0.2; done
		head -c 100M /dev/zero >/dev/shm/other 2>/dev/null
		${command} resume filled
		wait $machine`;
	const {stderr, status} = await run(['sh', '-c', script]);
	const line =
		/openvmm: Guest memory at 0x[0-9a-f]+ is gone, which was \/dev\/shm\/ram: its file system is full\. .*\[MEMORY_LOST\]\n/;
	t.regex(stderr, line);
	t.is(status, 7);
});
