import {PassThrough} from 'node:stream';
import test from 'ava';
import type {Operation} from '#main/operations';
import {commandOperations} from './command-operations.ts';

test('a command that does not read takes so much of what is typed, and goes on when it reads', async (t) => {
	const stdin = new PassThrough({highWaterMark: 65_536});
	const operations = commandOperations(
		{stdin, kill() {}, resize() {}},
		{tty: false},
		{stopSignal: 'SIGTERM', restored: async () => []},
	);
	const {run} = operations.find(({name}) => name === 'feed-console') as Operation;
	const sent = Buffer.alloc(2 ** 20, 'what is typed ');
	let at = 0;
	const type = async () => {
		const bytes = sent.subarray(at, at + 4096).toString('base64');
		const {taken} = (await run(undefined as never, {bytes} as never, undefined as never)) as {taken: number};
		at += taken;
		return taken;
	};
	while (at < sent.length && (await type()) > 0);
	t.true(at >= 65_536 && at < 200_000, `${at} bytes wait`);
	t.is(await type(), 0);
	const read: Buffer[] = [];
	stdin.on('data', (bytes: Buffer) => read.push(bytes));
	while (at < sent.length) if ((await type()) === 0) await new Promise(setImmediate);
	t.true(Buffer.concat(read).equals(sent));
});
