import {spawn, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';

const fixture = fileURLToPath(new URL('./fixtures/terminal.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'openvmm-terminal-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const hasScript = spawnSync('script', ['--version']).status === 0;
// util-linux's script(1) gives a program a terminal of its own.
const onTerminal = hasScript ? test.serial : test.skip;

/** Text to type once the terminal has shown something. */
type Step = readonly [shown: string, typed: string];

/**
 * Runs the fixture on a new terminal.
 * @returns what the terminal showed, the status, and the terminal's settings before and after
 */
async function onNewTerminal(name: string, ending: string, steps: readonly Step[] = []) {
	const file = (part: string) => join(directory, `${name}.${part}`);
	const run = `${process.execPath} --import=tsx ${fixture} ${ending}; echo $? > ${file('status')}`;
	const command = `stty -g > ${file('before')}; ${run}; stty -g > ${file('after')}`;
	const child = spawn('script', ['--quiet', '--command', command, '/dev/null']);
	const waiting = [...steps];
	let shown = '';
	let from = 0;
	child.stdout.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
		for (let step = waiting[0]; step && shown.indexOf(step[0], from) >= 0; step = waiting[0]) {
			from = shown.indexOf(step[0], from) + step[0].length;
			child.stdin.write(step[1]);
			waiting.shift();
		}
	});
	await new Promise((resolve) => child.once('close', resolve));
	const read = (part: string) => readFileSync(file(part), 'utf8').trim();
	return {shown, status: Number(read('status')), before: read('before'), after: read('after')};
}

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

/** Runs the fixture without a terminal, and sends it a signal once it is up. */
async function withInput(input: 'ignore' | 'pipe', signal?: NodeJS.Signals) {
	const child = spawn(process.execPath, ['--import=tsx', fixture, signal ? 'wait' : 'power-off'], {
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
	const child = spawn(process.execPath, ['--import=tsx', fixture, 'hang'], {stdio: ['ignore', 'pipe', 'inherit']});
	let shown = '';
	child.stdout.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
		if (/(attached|stop)\n$/.test(shown)) child.kill('SIGTERM');
	});
	await new Promise((resolve) => child.once('close', resolve));
	t.is(shown, 'attached\nstop\n');
	t.is(child.signalCode, 'SIGTERM');
});
