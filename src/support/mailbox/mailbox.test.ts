import {Worker} from 'node:worker_threads';
import test from 'ava';
import {signalEventfd} from '#support/ffi';
import {EpollReactor} from '#support/reactor';
import {MailboxCaller, MailboxServer, mailboxBytes} from './index.ts';

const moduleUrl = new URL('./index.ts', import.meta.url).href;
const ffiUrl = new URL('../ffi/index.ts', import.meta.url).href;

/** Starts a thread that makes `calls` calls as caller 1 and reports how many replies were right. */
function callerThread(workerData: object): Promise<number> {
	const source = `
		const {workerData, parentPort} = require('node:worker_threads');
		Promise.all([import(workerData.moduleUrl), import(workerData.ffiUrl)]).then(([{MailboxCaller}, ffi]) => {
			const caller = new MailboxCaller(workerData.set, 1, {spins: workerData.spins, signal: ffi.signalEventfd, giveUp: () => false});
			let right = 0;
			for (let i = 0; i < workerData.calls; i++) if (caller.call(3, 1, i, 4, false, 7) === i * 2 + 7) right++;
			parentPort.postMessage(right);
		});`;
	const worker = new Worker(source, {eval: true, workerData});
	return new Promise((resolve, reject) => {
		worker.once('message', resolve);
		worker.once('error', reject);
	});
}

for (const [title, spins, pollNs] of [
	['both sides spin', 100_000, 2e6],
	['both sides sleep', 0, 0],
] as const) {
	test(`every call gets its own reply when ${title}`, async (t) => {
		const buffer = new SharedArrayBuffer(mailboxBytes(2));
		const seen = new Set<number>();
		const server = new MailboxServer({buffer, callers: 2}, (device, region, offset, size, isWrite, value) => {
			t.deepEqual([device, region, size, isWrite], [3, 1, 4, false]);
			seen.add(offset);
			return offset * 2 + value;
		});
		const reactor = new EpollReactor({pollNs, polled: server});
		const running = reactor.run();
		const set = {buffer, callers: 2, wakeFd: reactor.wakeFd};
		const right = callerThread({moduleUrl, ffiUrl, set, spins, calls: 500});
		const poke = setInterval(() => {}, 1000);
		// The reactor owns this thread: a message wakes it only with the descriptor, so look for the result by timer.
		const look = () => void reactor.after(5e6, () => (seen.size === 500 ? reactor.close() : look()));
		look();
		await running;
		clearInterval(poke);
		t.is(await right, 500);
	});
}

test('a caller whose server is gone gives up and reads all ones', (t) => {
	const buffer = new SharedArrayBuffer(mailboxBytes(1));
	const reactor = new EpollReactor();
	const set = {buffer, callers: 1, wakeFd: reactor.wakeFd};
	const caller = new MailboxCaller(set, 0, {spins: 10, signal: signalEventfd, giveUp: () => true});
	t.is(caller.call(0, 0, 0, 2, false, 0), 0xffff);
	t.is(caller.call(0, 0, 0, 4, false, 0), 0xffffffff, 'the slot stays with the server');
});
