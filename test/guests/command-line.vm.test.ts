import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import test from 'ava';
import {backEndHere, vmTest, x86BackEnds} from '#test/petri';

const x86 = {on: x86BackEnds};

// The program as users start it: the launcher, which runs the build when there is one.
const program = [join(process.cwd(), 'src/main/cli/launcher.mjs'), '--hypervisor', backEndHere];
const directory = mkdtempSync(join(tmpdir(), 'openvmm-cli-kvm-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const env = {...process.env, XDG_CACHE_HOME: directory};

/** Runs openvmm without input; `shown` sees all output so far each time some arrives. */
async function openvmm(
	words: string,
	shown: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
) {
	const child = spawn(process.execPath, [...program, '-m', '64M', ...words.split(' ')], {
		env,
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let stdout = '';
	let stderr = '';
	child.stdout.on('data', (bytes: Buffer) => {
		stdout += bytes.toString();
		shown(stdout, (signal) => void child.kill(signal));
	});
	child.stderr.on('data', (bytes: Buffer) => {
		stderr += bytes.toString();
	});
	await new Promise((resolve) => child.once('close', resolve));
	return {stdout, stderr, status: child.exitCode};
}

/** Kills once, when the guest hangs. */
function whenHanging(signal: NodeJS.Signals) {
	let sent = false;
	return (text: string, kill: (signal: NodeJS.Signals) => void) => {
		if (sent || !text.includes('Hanging until stopped')) return;
		sent = true;
		kill(signal);
	};
}

vmTest('a guest that powers off gives status 0 and nothing on standard error', x86, async (t) => {
	const {stdout, stderr, status} = await openvmm('-p 2 -p 8');
	t.regex(stdout, /8 found, 8 running/);
	t.is(stderr, '');
	t.is(status, 0);
});

vmTest('the debug-exit port and the shutdown action choose the status', x86, async (t) => {
	t.is((await openvmm('-c exit=5 --debug-exit 0xf4')).status, (5 << 1) | 1);
	t.is((await openvmm('--guest-shutdown-action exit:9')).status, 9);
});

vmTest('a triple fault gives status 3 and one line that says so', x86, async (t) => {
	const {stderr, status} = await openvmm('-c jump');
	t.regex(stderr, /^openvmm: The guest crashed on processor 0: triple fault\. .* \[GUEST_CRASH\]\n$/);
	t.is(status, 3);
});

vmTest('an unusable kernel gives status 6 and one line', x86, async (t) => {
	const kernel = join(directory, 'kernel');
	writeFileSync(kernel, 'no kernel at all');
	const {stderr, status} = await openvmm(`-k ${kernel}`);
	t.regex(stderr, /^openvmm: .* \[KERNEL_\w+\]\n$/);
	t.is(status, 6);
});

for (const hang of ['cli', 'hlt', 'sti-hlt']) {
	for (const [signal, status] of [
		['SIGTERM', 143],
		['SIGINT', 130],
	] as const) {
		vmTest(`${signal} ends a guest that hangs by ${hang} with status ${status}`, x86, async (t) => {
			const result = await openvmm(`-p 2 -c hang=${hang}`, whenHanging(signal));
			// Of a guest that has halted with interrupts off a line may say so first.
			t.regex(result.stderr, hang === 'hlt' ? /^(openvmm: warn: All processors have halted[^\n]*\n)?$/ : /^$/);
			t.is(result.status, status);
		});
	}
}

vmTest('a paused machine has not started the guest', x86, async (t) => {
	const log = join(directory, 'paused-log');
	const created = () => existsSync(log) && readFileSync(log, 'utf8').includes('Machine created');
	const child = spawn(process.execPath, [...program, '-m', '64M', '-P', '--log-file', log], {env, stdio: 'pipe'});
	let stdout = '';
	child.stdout.on('data', (bytes: Buffer) => {
		stdout += bytes.toString();
	});
	while (!created()) await new Promise((resolve) => setTimeout(resolve, 50));
	// Several times as long as a guest that runs takes to its first output under emulation.
	await new Promise((resolve) => setTimeout(resolve, 5000));
	child.kill('SIGTERM');
	await new Promise((resolve) => child.once('close', resolve));
	t.is(stdout, '');
	t.is(child.exitCode, 143);
});

vmTest('the pid file is locked while the machine runs, and the log tells of its end', x86, async (t) => {
	const pidFile = join(directory, 'pid');
	const logFile = join(directory, 'log');
	const first = await openvmm(`-c hang=hlt --pidfile ${pidFile} --log-file ${logFile}`, whenHanging('SIGHUP'));
	t.is(first.status, 129);
	t.false(existsSync(pidFile));
	const messages = readFileSync(logFile, 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line).msg);
	// In between it may tell that the guest has halted for good.
	t.deepEqual([messages[0], messages.at(-1)], ['Machine created', 'Machine ends']);
});

/** Bytes of a process's memory that are its own: neither files nor the guest's RAM, which is shared. 0 once it is gone. */
function ownBytes(pid: number): number {
	try {
		return Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
	} catch {
		return 0;
	}
}

vmTest(
	'a guest that floods the console faster than the reader reads loses nothing and stays in its bound',
	x86,
	async (t) => {
		// More than the port's ring (64 KiB) and the socket that Node.js has for a pipe (some 200 KiB) hold, so the guest has to wait.
		const lines = 10_000;
		const words = [...program, '-m', '64M', '-c', `flood=${lines}`];
		const child = spawn(process.execPath, words, {env, stdio: ['ignore', 'pipe', 'inherit']});
		const samples: number[] = [];
		const sampling = setInterval(() => samples.push(ownBytes(child.pid ?? 0)), 250);
		await new Promise((resolve) => setTimeout(resolve, 20_000));
		// Node.js throws away what a process that has ended wrote before anybody read it.
		t.is(child.exitCode, null, 'it waits');
		const output = await text(child.stdout);
		clearInterval(sampling);
		const numbers = [...output.matchAll(/^(\d{6}) the quick brown fox .*9\r$/gm)].map(([, number]) => Number(number));
		t.deepEqual(
			numbers,
			Array.from({length: lines}, (_, index) => index),
		);
		const most = Math.max(...samples);
		// The guide states it: "Trust".
		t.true(most > 0 && most < 256 * 2 ** 20, `${most} bytes`);
	},
);
