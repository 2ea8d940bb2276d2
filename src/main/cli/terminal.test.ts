import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {fixture, hasTerminals, runOnTerminal, type Step, showsOnTerminal} from './testing/new-terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-terminal-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const onTerminal = hasTerminals ? test.serial : test.skip;
const onNewTerminal = (name: string, ending: string, steps?: readonly Step[]) =>
	runOnTerminal(join(directory, name), ending, steps);

for (const [ending, status] of [
	['power-off', 0],
	['crash', 3],
	['bug', 1],
] as const) {
	onTerminal(`the terminal is as before when the machine ends by ${ending}`, async (t) => {
		const result = await onNewTerminal(ending, ending);
		t.is(result.status, status);
		t.is(result.after, result.before);
	});
}

onTerminal('an error line starts at the left edge, as raw mode has ended', async (t) => {
	const {shown} = await onNewTerminal('edge', 'crash');
	t.regex(shown, /(^|\r\n)openvmm: The guest crashed on processor 1: triple fault\. .*\r\n/);
});

onTerminal('every key goes to the guest, Ctrl-C too, and Ctrl-Q quit ends', async (t) => {
	const {shown, status, before, after} = await onNewTerminal('keys', 'wait', [
		['attached', 'ls\r\x03'],
		['guest got 6c730d03', '\x11'],
		['openvmm> ', 'quit\r'],
	]);
	t.regex(shown, /guest got 6c730d03/);
	t.is(status, 0);
	t.is(after, before);
});

onTerminal('the console changes the machine and goes back to the guest', async (t) => {
	const {shown, status, before, after} = await onNewTerminal('console', 'wait', [
		['attached', 'a\x11'],
		['openvmm> ', 'pause\r'],
		['pause\r\n', 'input\rb'],
		['guest got 62', '\x11'],
		['openvmm> ', 'q\r'],
	]);
	t.regex(shown, /guest got 61[\s\S]*pause[\s\S]*guest got 62/);
	t.is(status, 0);
	t.is(after, before);
});

onTerminal('Ctrl-C at the console gives up what takes long, and the console goes on', async (t) => {
	const {shown, status} = await onNewTerminal('give-up', 'wait', [
		['attached', '\x11'],
		['openvmm> ', 'dump-core /x\r'],
		['dumping to /x', '\x03'],
		['given up', 'pause\r'],
		['pause\r\n', 'q\r'],
	]);
	t.regex(
		shown,
		/dump-core was given up before it was done: Ctrl-C\. It has changed nothing: ask for it again\r\n[\s\S]*pause\r\n/,
	);
	t.is(status, 0);
});

/** Runs the fixture without a terminal, and sends it a signal once it is up. */
async function withInput(input: 'ignore' | 'pipe', signal?: NodeJS.Signals) {
	const child = spawn(process.execPath, [fixture, signal ? 'wait' : 'power-off'], {
		stdio: [input, 'pipe', 'inherit'],
	});
	let shown = '';
	child.stdout?.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
		if (signal && /attached\n$/.test(shown)) child.kill(signal);
	});
	child.stdin?.end('typed');
	await new Promise((resolve) => child.once('close', resolve));
	return {shown, status: child.exitCode};
}

test.serial('a pipe is carried to the guest, and its end does not end the machine', async (t) => {
	const {shown, status} = await withInput('pipe');
	t.is(shown, `attached\nguest got ${Buffer.from('typed').toString('hex')}\nstop\n`);
	t.is(status, 0);
});

test.serial('without input the machine runs to its own end', async (t) => {
	t.deepEqual(await withInput('ignore'), {shown: 'attached\nstop\n', status: 0});
});

test.serial('SIGTERM ends a machine that waits, after stopping it', async (t) => {
	t.deepEqual(await withInput('ignore', 'SIGTERM'), {shown: 'attached\nstop\n', status: 143});
});

test.serial('a second SIGTERM ends a machine that does not stop', async (t) => {
	const child = spawn(process.execPath, [fixture, 'hang'], {stdio: ['ignore', 'pipe', 'inherit']});
	let shown = '';
	child.stdout.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
		if (/(attached|stop)\n$/.test(shown)) child.kill('SIGTERM');
	});
	await new Promise((resolve) => child.once('close', resolve));
	t.is(shown, 'attached\nstop\n');
	t.is(child.signalCode, 'SIGTERM');
});

const inShell = hasTerminals && spawnSync('bash', ['--version']).status === 0 ? test.serial : test.skip;
/** As a user starts it: from an interactive shell, which has job control. */
const shell = "PS1='prompt> ' bash --norc --noprofile -i";
const command = `${process.execPath} ${fixture} wait`;

/** Gives the kernel's state of the process whose pid file is in `folder`: T is stopped by job control. */
function stateIn(folder: string): string {
	const pid = readFileSync(join(folder, 'pid'), 'latin1').trim();
	return readFileSync(`/proc/${pid}/stat`, 'latin1')
		.replace(/^.*\) /s, '')
		.charAt(0);
}

inShell('in the background of a shell it runs, and fg gives it the keyboard', async (t) => {
	const folder = mkdtempSync(join(directory, 'background-'));
	const states: string[] = [];
	const look = (then: string) => () => {
		states.push(stateIn(folder));
		return then;
	};
	const shown = await showsOnTerminal(shell, [
		['prompt> ', `${command} ${folder} &\n`],
		['ready\r\n', look('echo $((40 + 2))\n')],
		['42\r\n', look('fg\n')],
		['Ctrl-Q opens the console', 'x'],
		['guest got 78', '\x11'],
		// Ctrl-Z goes back to the shell.
		['openvmm> ', '\x1a'],
		['Stopped', look('bg\n')],
		['resume\r\n', look('echo $((42 + 1))\n')],
		['43\r\n', look('fg\n')],
		['openvmm> ', 'input\ry'],
		['guest got 79', '\x11'],
		['openvmm> ', 'quit\r'],
		['stopped\r\n', 'echo status $?\n'],
		['status 0', 'exit\n'],
	]);
	t.deepEqual(
		states.map((state) => state === 'T'),
		[false, false, true, false, false],
	);
	t.regex(shown, /pause\r\n[\s\S]*resume\r\n/);
	t.notRegex(shown, /tty (in|out)put/);
	t.deepEqual(readdirSync(folder), []);
});

inShell('stopped by force and sent to the background it runs on, and ends there', async (t) => {
	const folder = mkdtempSync(join(directory, 'stopped-'));
	const signal = (name: NodeJS.Signals) => process.kill(Number(readFileSync(join(folder, 'pid'), 'latin1')), name);
	const shown = await showsOnTerminal(shell, [
		['prompt> ', `${command} ${folder}\n`],
		['ready\r\n', () => void signal('SIGSTOP')],
		['Stopped', 'bg\n'],
		['resume\r\n', 'echo $((40 + 2))\n'],
		['42\r\n', () => void signal('SIGTERM')],
		['stopped\r\n', 'wait; stty -a | grep -o -- "-\\?icanon"; exit\n'],
	]);
	// The shell tells of the job's end at the prompt or in `wait`, so that not always a line ends before this one.
	t.regex(shown, /[\r\n]icanon\r\n/);
	t.notRegex(shown, /tty (in|out)put/);
	t.deepEqual(readdirSync(folder), []);
});
