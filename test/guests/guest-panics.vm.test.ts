import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {VM} from '#main/api';
import {linuxTest} from '#test/petri';
import {debianMachine, endsWith} from './testing/api-machine.ts';
import {guestWords} from './testing/guest-words.ts';
import {openvmmProgram} from './testing/openvmm-program.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-panic-'));
test.after.always(() => rmSync(directory, {recursive: true}));

/** A kernel that panics does what one does whose init dies (kernel: Documentation/admin-guide/sysrq.rst). */
const panic = 'echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; cat';

linuxTest('a guest whose kernel panics ends its machine, and whoever waits for a command is told why', async (t) => {
	const vm = endsWith(t, await VM.create(debianMachine(t, {name: 'panics'})));
	const spawned = await vm.spawn('echo begun; exec cat');
	const said = {code: 'VM_STOPPED_AGENT', message: /^panics is over \(crash: the guest reported a panic\)/};
	const waiting = t.throwsAsync(spawned.exited, said);
	const error = await t.throwsAsync(vm.exec(panic), said);
	t.regex(error?.message ?? '', /Kernel panic - not syncing: sysrq triggered crash/);
	await waiting;
	t.deepEqual(await vm.ended, {kind: 'crash', reason: 'the guest reported a panic', status: 3});
	await t.throwsAsync(vm.exec('true'), said);
});

linuxTest('a command whose guest panics has the status of a machine that failed, and says so', async (t) => {
	const openvmm = openvmmProgram({...process.env, XDG_RUNTIME_DIR: directory, TMPDIR: directory});
	const {status, stderr} = await openvmm(['run', '--rm', ...guestWords(t), '--', 'sh', '-c', panic]);
	t.regex(stderr, /^openvmm: \S+ is over \(crash: the guest reported a panic\).*Kernel panic.*\[VM_STOPPED_AGENT\]/s);
	t.is(status, 125);
});

linuxTest('who waits for a command in a machine of another process is told of its end', async (t) => {
	const openvmm = openvmmProgram({...process.env, XDG_RUNTIME_DIR: directory, TMPDIR: directory});
	const started = await openvmm([
		'run',
		'-d',
		'--name',
		'shared',
		...guestWords(t),
		'--',
		'busybox',
		'sleep',
		'100000',
	]);
	t.is(started.status, 0, started.stderr);
	const {status, stderr} = await openvmm(['exec', 'shared', 'sh', '-c', panic]);
	t.regex(
		stderr,
		/^openvmm: The machine "shared" has ended with status 125\. openvmm logs shared .*\[CONTROL_MACHINE_ENDED\]\n$/,
	);
	t.is(status, 125);
});

linuxTest('a guest whose init ends panics before it is ready, and that is told with what it has said', async (t) => {
	const openvmm = openvmmProgram({...process.env, XDG_RUNTIME_DIR: directory, TMPDIR: directory});
	// An init that the kernel cannot start is the end of one: both are the same panic.
	const words = guestWords(t, 'rdinit=/bin/false', 'init=/bin/false', 'root=/dev/none');
	const {status, stderr} = await openvmm(['run', '--rm', ...words, '--', 'true']);
	t.regex(stderr, /ended before it was ready \(.*Kernel panic - not syncing.*\[VM_START_ENDED\]/s);
	t.is(status, 125);
});

linuxTest('a guest without virtio sockets is told of, with the remedy', async (t) => {
	// A kernel that refuses a module is as one that has none.
	const without = debianMachine(t, {startTimeout: 30_000, commandLine: ['module_blacklist=vsock']});
	const late = await t.throwsAsync(VM.create(without), {
		code: 'VM_START_TIMEOUT',
		message: /waited for the guest agent/,
	});
	t.regex((late as unknown as {remedy: string}).remedy, /vmw_vsock_virtio_transport/);
});
