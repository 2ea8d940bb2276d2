import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {openSync} from 'node:fs';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';

const fixture = fileURLToPath(new URL('./testing/follow-command.ts', import.meta.url));

/** A command that a process of its own follows. */
function follow(t: ExecutionContext, words: readonly string[], output: 'pipe' | number = 'pipe') {
	const child = spawn(process.execPath, ['--import=tsx', fixture, ...words], {stdio: ['ignore', output, 'pipe']});
	t.teardown(() => child.kill('SIGKILL'));
	return {child, output: child.stdout as Readable, ended: once(child, 'exit')};
}

test('a command whose reader has gone ends by that, as in a pipe', async (t) => {
	const {output, ended} = follow(t, ['yes']);
	await once(output, 'data');
	output.destroy();
	t.deepEqual(await ended, [141, null]);
});

test('a command in the background has no reader that could go', async (t) => {
	const {child, output, ended} = follow(t, [
		'--unshown=3000008',
		'sh',
		'-c',
		'echo one; echo two >&2; yes | head -c 3000000; exit 3',
	]);
	output.destroy();
	(child.stderr as Readable).destroy();
	t.deepEqual(await ended, [3, null]);
});

test('one that takes no notice of it is ended', async (t) => {
	const {output, ended} = follow(t, ['sh', '-c', 'trap "" PIPE; exec yes']);
	await once(output, 'data');
	output.destroy();
	t.deepEqual(await ended, [143, null]);
});

test('output that cannot be written is no success', async (t) => {
	const {child, ended} = follow(t, ['echo', 'lost'], openSync('/dev/full', 'w'));
	const said = await text(child.stderr as Readable);
	t.regex(said, /standard output: ENOSPC.*\[CLI_OUTPUT_FAILED\]/);
	t.not((await ended)[0], 0);
});

test('a reader that does not read keeps nobody from ending it', async (t) => {
	const {child, output, ended} = follow(t, ['yes']);
	await once(output, 'readable');
	// Of one that comes again before it was heard there is one: of these there are three, in the order that the kernel gives them.
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) child.kill(signal);
	const [status] = await ended;
	t.true([130, 131, 143].includes(status), `${status}`);
});

test('the third signal is waited for no longer, whatever the command makes of it', async (t) => {
	const script = 'trap "echo heard" INT; echo begun; while :; do sleep 0.05; done';
	const {child, output, ended} = follow(t, ['sh', '-c', script]);
	let shown = '';
	output.on('data', (bytes: Buffer) => {
		shown += bytes.toString();
	});
	const until = async (count: number) => {
		while (shown.split('\n').length <= count) await once(output, 'data');
	};
	await until(1);
	for (const count of [2, 3]) {
		child.kill('SIGINT');
		await until(count);
		t.is(child.exitCode, null);
	}
	child.kill('SIGINT');
	t.deepEqual(await ended, [130, null]);
});
