/** Commands, by the program that guests have, which runs here. */

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';
import test from 'ava';
import {agentProgram, startAgent} from './testing/real-agent.ts';

const isRoot = process.getuid?.() === 0;

/** True while there is a process. */
function isAlive(pid: number): boolean {
	try {
		// A process that has ended stays until its parent has heard of it.
		return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	} catch {
		return false;
	}
}

/** Waits for what the other side does when it has its turn. */
async function until(is: () => boolean | Promise<boolean>): Promise<void> {
	while (!(await is())) await sleep(5);
}

test('a command has its words, its streams and its status', async (t) => {
	await using real = await startAgent();
	const {agent} = real;
	t.is(agent.guest.version, 1);
	t.regex(agent.guest.kernel, /^Linux \d/);
	t.false(agent.guest.isInit);
	const result = await agent.exec(['sh', '-c', 'cat; echo "$1" >&2; exit 3', 'sh', 'a b\n"c"'], {input: 'given'});
	t.deepEqual(
		{...result, stdout: `${result.stdout}`, stderr: `${result.stderr}`},
		{exitCode: 3, signal: undefined, stdout: 'given', stderr: 'a b\n"c"\n'},
	);
	const killed = await agent.exec(['sh', '-c', 'kill -SEGV $$']);
	t.deepEqual([killed.exitCode, killed.signal], [undefined, 'SIGSEGV']);
	t.is((await agent.exec(['true'])).exitCode, 0);
	t.is(`${(await agent.exec(['cat'])).stdout}`, '', 'without input there is its end');
});

test('each command has its environment, folder and user', async (t) => {
	await using real = await startAgent();
	const {agent} = real;
	const shell = async (script: string, options = {}) =>
		`${(await agent.exec(['/bin/sh', '-c', script], options)).stdout}`;
	t.is(
		await shell('echo $ONE:$PATH', {env: {ONE: 'two words'}}),
		'two words:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n',
	);
	t.is(`${(await agent.exec(['/usr/bin/env'], {env: {A: '1'}, clearEnv: true})).stdout}`, 'A=1\n');
	t.is(await shell('pwd', {cwd: '/usr/lib'}), '/usr/lib\n');
	await t.throwsAsync(agent.exec(['true'], {cwd: '/nonesuch'}), {code: 'AGENT_FAILED', message: /ENOENT \(folder\)/});
	await t.throwsAsync(agent.exec(['true'], {user: 'nonesuch'}), {code: 'AGENT_FAILED', message: /ENOENT \(user\)/});
	await t.throwsAsync(agent.exec(['nonesuch']), {code: 'AGENT_FAILED', message: /run nonesuch: ENOENT \(exec\)/});
	await t.throwsAsync(agent.exec(['/etc/passwd']), {code: 'AGENT_FAILED', message: /EACCES \(exec\)/});
	await t.throwsAsync(agent.exec(['nonesuch'], {env: {PATH: '/nowhere'}}), {code: 'AGENT_FAILED'});
	await t.throwsAsync(agent.exec([]), {code: 'AGENT_REQUEST_INVALID'});
	await t.throwsAsync(agent.exec(['a\0b']), {code: 'AGENT_REQUEST_INVALID', message: /zero byte/});
	await t.throwsAsync(agent.exec(['echo', 'x'.repeat(70_000)]), {code: 'AGENT_REQUEST_INVALID'});
	// A child is no process of the agent's group, and has no more descriptors than it should.
	t.is(await shell('ls /proc/self/fd | wc -l'), '4\n');
	t.is(await shell('ulimit -Sn'), execFileSync('sh', ['-c', 'ulimit -Sn'], {encoding: 'utf8'}));
	t.is(await shell('grep SigBlk /proc/self/status | cut -f2'), '0000000000000000\n');
	if (!isRoot) return;
	t.is(await shell('id -u; id -g; id -G; echo $HOME $USER', {user: 'daemon'}), '1\n1\n1\n/usr/sbin daemon\n');
	t.is(await shell('id -u; id -g; id -G', {user: '1234:4321'}), '1234\n4321\n4321\n');
	t.is(await shell('id -u; id -g', {user: 'daemon:tty'}), '1\n5\n');
	await t.throwsAsync(agent.exec(['true'], {user: 'daemon:nonesuch'}), {code: 'AGENT_FAILED', message: /user/});
});

test('streams of 100 MB are whole, each by itself, at the pace of their readers', async (t) => {
	const size = 100 * 2 ** 20;
	await using real = await startAgent();
	// A command of the same connection that nobody reads holds up nothing.
	await using stuck = await real.agent.spawn(['yes']);
	const script = `head -c ${size} /dev/zero | tr '\\0' a & head -c ${size} /dev/zero | tr '\\0' b >&2; wait`;
	await using process = await real.agent.spawn(['sh', '-c', script]);
	const count = async (stream: Readable, byte: string) => {
		let [read, pieces, others] = [0, 0, 0];
		for await (const piece of stream.iterator({destroyOnReturn: false})) {
			if (!piece.equals(Buffer.alloc(piece.length, byte))) others++;
			read += piece.length;
			// A reader that is slow now and then.
			if (++pieces % 256 === 0) await sleep(5);
			// The shell, which waits for both, still has the stream.
			if (read >= size) break;
		}
		return [read, others];
	};
	// Nobody reads the second one until the first has been read.
	t.deepEqual(await count(process.stdout, 'a'), [size, 0]);
	t.deepEqual(await count(process.stderr, 'b'), [size, 0]);
	t.is((await process.exited).exitCode, 0);
	t.true(stuck.stdout.readableLength <= 262_144);
	stuck.kill('SIGKILL');
	t.is((await stuck.exited).signal, 'SIGKILL');
});

test('100 MB of input comes back, and a command that takes none of it ends all the same', async (t) => {
	await using real = await startAgent();
	const input = Buffer.alloc(100 * 2 ** 20, 'some text that is repeated ');
	const {stdout} = await real.agent.exec(['cat'], {input, mostOutput: input.length});
	t.true(stdout.equals(input));
	t.is((await real.agent.exec(['true'], {input})).exitCode, 0);
	await using process = await real.agent.spawn(['sh', '-c', 'exec <&-; sleep 1000']);
	process.stdin.write(Buffer.alloc(2 ** 20));
	const error = await new Promise<Error>((resolve) => process.stdin.once('error', resolve));
	t.regex(error.message, /EPIPE/);
});

test('what a command leaves in the background ends neither it nor what it wrote', async (t) => {
	await using real = await startAgent();
	const {exitCode, stdout} = await real.agent.exec([
		'sh',
		'-c',
		'echo before; (while :; do echo more; done) & echo $!',
	]);
	t.is(exitCode, 0);
	const [before] = `${stdout}`.split('\n');
	t.is(before, 'before');
});

test('a terminal has a size that changes, a foreground, and the end of input as a character', async (t) => {
	await using real = await startAgent();
	const script = 'stty size; trap "stty size; exit 7" WINCH; echo ready; tty; while :; do read line || sleep 0.1; done';
	await using shell = await real.agent.spawn(['sh', '-c', script], {tty: {columns: 90, rows: 30}});
	let text = '';
	shell.stdout.on('data', (piece: Buffer) => (text += piece));
	await until(() => text.includes('/dev/pts/'));
	t.true(text.startsWith('30 90\r\nready\r\n'), text);
	shell.resize({columns: 132, rows: 43});
	t.deepEqual(await shell.exited, {exitCode: 7, signal: undefined});
	await until(() => shell.stdout.readableEnded);
	t.true(text.endsWith('43 132\r\n'), text);
	t.is(
		(await real.agent.exec(['sh', '-c', 'cat >/dev/null; echo end'], {tty: {columns: 80, rows: 25}, input: 'x\n'}))
			.exitCode,
		0,
	);
	await using stopped = await real.agent.spawn(['cat'], {tty: {columns: 80, rows: 25}});
	stopped.stdin.write('\x03');
	t.is((await stopped.exited).signal, 'SIGINT');
});

test('signals go to all of a command', async (t) => {
	await using real = await startAgent();
	await using process = await real.agent.spawn(['sh', '-c', 'sleep 1000 & echo $!; wait']);
	const [piece] = (await process.stdout.iterator({destroyOnReturn: false}).next()).value.toString().split('\n');
	const child = Number(piece);
	t.true(isAlive(child));
	process.kill();
	t.deepEqual(await process.exited, {exitCode: undefined, signal: 'SIGTERM'});
	await until(() => !isAlive(child));
	process.kill('SIGKILL');
	t.pass('nobody is sent a signal any more');
});

test('200 commands at once, each with what is its own', async (t) => {
	await using real = await startAgent();
	const results = await Promise.all(
		Array.from({length: 200}, (_, i) =>
			real.agent.exec(['sh', '-c', `read x; echo $x ${i}; exit ${i}`], {input: `${i * 7}\n`}),
		),
	);
	for (const [i, {exitCode, stdout}] of results.entries()) t.deepEqual([exitCode, `${stdout}`], [i, `${i * 7} ${i}\n`]);
});

test('more than there can be are refused, and what goes on is not disturbed', async (t) => {
	await using real = await startAgent();
	// Of watches the host's kernel gives a user so few that other tests would have none.
	const folder = mkdtempSync(join(tmpdir(), 'agent-busy-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'socket');
	const server = createServer(() => {});
	await new Promise<void>((resolve) => server.listen(path, resolve));
	t.teardown(() => server.close());
	const streams = Array.from({length: 1023}, () => real.agent.connect({path}));
	for (const stream of streams) stream.catch(() => {});
	await t.throwsAsync(real.agent.files.stat(path), {code: 'AGENT_BUSY'});
	real.agent.close();
	await Promise.allSettled(streams);
});

test('who gives up, or waits too long, ends the command', async (t) => {
	await using real = await startAgent();
	const {agent} = real;
	const controller = new AbortController();
	const process = await agent.spawn(['sleep', '1000'], {signal: controller.signal});
	t.true(isAlive(process.pid));
	controller.abort(new Error('enough'));
	await t.throwsAsync(process.exited, {message: 'enough'});
	await until(() => !isAlive(process.pid));
	await t.throwsAsync(agent.spawn(['true'], {signal: controller.signal}), {message: 'enough'});
	await t.throwsAsync(agent.exec(['sleep', '1000'], {timeout: 20}), {code: 'AGENT_TIMEOUT'});
	await t.throwsAsync(agent.exec(['yes'], {mostOutput: 1000}), {code: 'AGENT_OUTPUT_TOO_LONG'});
	t.is((await agent.exec(['true'], {timeout: Number.POSITIVE_INFINITY})).exitCode, 0);
	const left = await agent.spawn(['sleep', '1000']);
	for (const signal of [0, 65, -1, 1.5, 'SIGNONE' as 'SIGHUP'])
		t.throws(() => left.kill(signal), {code: 'AGENT_REQUEST_INVALID', message: /signal/i}, `${signal}`);
	await left[Symbol.asyncDispose]();
	t.false(isAlive(left.pid));
	t.is((await agent.exec(['true'])).exitCode, 0, 'the connection is as before');
});

test('commands end with their connection if that was asked for, and go on otherwise', async (t) => {
	for (const killCommands of [true, false]) {
		const real = await startAgent({killCommands});
		const process = await real.agent.spawn(['sleep', '1000']);
		real.stream.destroy();
		const reason = await real.agent.closed;
		t.is((reason as {code?: string} | undefined)?.code, 'AGENT_CLOSED');
		await t.throwsAsync(process.exited, {code: 'AGENT_CLOSED'});
		await t.throwsAsync(real.agent.exec(['true']), {code: 'AGENT_CLOSED'});
		t.deepEqual(await real.ended, {code: 0, signal: null});
		if (killCommands) await until(() => !isAlive(process.pid));
		else {
			t.true(isAlive(process.pid));
			globalThis.process.kill(process.pid, 'SIGKILL');
		}
	}
});

test('the agent itself, which has the greeting in it, goes through', async (t) => {
	await using real = await startAgent();
	const program = readFileSync(agentProgram);
	t.true(program.includes('openvmm-agent/\xfe\xed', 0, 'latin1'));
	const {stdout} = await real.agent.exec(['cat'], {input: program});
	t.true(stdout.equals(program));
});
