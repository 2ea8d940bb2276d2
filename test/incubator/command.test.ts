import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {RunningCommand} from './command.ts';
import {FRAME, type Frame} from './frames.ts';

function exitFrame(report: object): Frame {
	return {kind: FRAME.exit, id: 1, payload: Buffer.from(JSON.stringify(report))};
}

/** Records what the session would send. */
function recorder() {
	const sent: string[] = [];
	return {
		sent,
		stdin: (bytes: Uint8Array) => sent.push(`stdin ${Buffer.from(bytes).toString()}`),
		signal: (name: string) => sent.push(`signal ${name}`),
	};
}

test('output is collected and passed on, and the status is the command’s', async (t) => {
	const seen: string[] = [];
	const command = new RunningCommand({onStdout: (chunk) => seen.push(Buffer.from(chunk).toString())}, recorder());

	command.take({kind: FRAME.stdout, id: 1, payload: Buffer.from('one ')});
	command.take({kind: FRAME.stderr, id: 1, payload: Buffer.from('oops')});
	command.take({kind: FRAME.stdout, id: 1, payload: Buffer.from('two')});
	command.take(exitFrame({status: 3, signal: null}));

	t.deepEqual(await command.ended, {status: 3, timedOut: false, stdout: 'one two', stderr: 'oops'});
	t.deepEqual(seen, ['one ', 'two']);
});

test('a signal and a command that cannot start give the statuses of a shell', async (t) => {
	const killed = new RunningCommand({}, recorder());
	killed.take(exitFrame({status: null, signal: 'SIGSEGV'}));
	const absent = new RunningCommand({}, recorder());
	absent.take(exitFrame({status: null, signal: null, error: 'spawn x ENOENT'}));

	t.is((await killed.ended).status, 139);
	t.like(await absent.ended, {status: 127, stderr: 'spawn x ENOENT\n'});
});

test('input is sent and then closed', (t) => {
	const controls = recorder();
	const command = new RunningCommand({stdin: 'hi'}, controls);

	command.feed();
	command.release();

	t.deepEqual(controls.sent, ['stdin hi', 'stdin ']);
});

test('a command that runs into its time limit is killed and says so', async (t) => {
	const controls = recorder();
	const command = new RunningCommand({timeoutMs: 5}, controls);

	command.feed();
	await sleep(50);
	command.take(exitFrame({status: null, signal: 'SIGKILL'}));
	command.release();

	t.true(controls.sent.includes('signal SIGKILL'));
	t.like(await command.ended, {status: 124, timedOut: true});
});
