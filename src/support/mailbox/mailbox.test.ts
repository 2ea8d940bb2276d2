import {Worker} from 'node:worker_threads';
import test from 'ava';
import {close, eventfd} from '#support/ffi';
import {EpollReactor} from '#support/reactor';
import {inspectMailboxes, MailboxCaller, MailboxServer, mailboxBytes, Waker, WakerState} from './index.ts';
import {MailboxSlot} from './mailbox.ts';

const moduleUrl = new URL('./index.ts', import.meta.url).href;

/** Starts a thread that makes `calls` calls as caller 1 and reports how many replies were right. */
function callerThread(workerData: object): Promise<number> {
	const source = `
		const {workerData, parentPort} = require('node:worker_threads');
		import(workerData.moduleUrl).then(({MailboxCaller}) => {
			const caller = new MailboxCaller(workerData.set, 1, {spins: workerData.spins, patienceMs: 60000});
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
		const wakeFd = eventfd();
		const set = {buffer, callers: 2, waker: {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd}};
		const waker = new Waker(set.waker);
		const reactor = new EpollReactor({pollNs});
		const part = reactor.look({
			wakeFd,
			poll: () => server.poll(),
			sleeping: (asleep) => waker.sleeping(asleep),
		});
		const running = reactor.run();
		const right = callerThread({moduleUrl, set, spins, calls: 500});
		const poke = setInterval(() => {}, 1000);
		// The reactor owns this thread: a message wakes it only with the descriptor, so look for the result by timer.
		const look = () => void reactor.after(5e6, () => (seen.size === 500 ? reactor.close() : look()));
		look();
		await running;
		clearInterval(poke);
		part.close();
		close(wakeFd);
		t.is(await right, 500);
	});
}

test('a caller whose server does not answer gives up, and asks again once it has answered', (t) => {
	const buffer = new SharedArrayBuffer(mailboxBytes(1));
	const set = {buffer, callers: 1, waker: {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1}};
	let looks = 0;
	let isHurried = false;
	const waiting = () => looks++ >= 0 && isHurried;
	const caller = new MailboxCaller(set, 0, {spins: 10, patienceMs: 250, waiting});
	t.is(caller.call(0, 0, 0, 2, false, 0), undefined);
	t.is(looks, 3, 'its thread has other duties');
	isHurried = true;
	t.is(caller.call(0, 0, 0, 4, false, 0), undefined, 'the slot stays with the server');
	t.is(looks, 4, 'it waits less when others wait for it');
	t.like(inspectMailboxes(set), [{state: 'posted', size: 2, calls: 1, givenUp: 2}]);
	const sizes: number[] = [];
	new MailboxServer(set, (...[, , , size]) => sizes.push(size));
	t.is(caller.call(0, 0, 0, 4, false, 0), 2);
	t.deepEqual(sizes, [2, 4], 'a server on the caller\u2019s own thread is asked at once');
});

test('a server whose time is over goes on with the callers that it has not come to', (t) => {
	const set = {buffer: new SharedArrayBuffer(mailboxBytes(3)), callers: 3};
	const served: number[] = [];
	const server = new MailboxServer(set, (...access) => {
		served.push(access[6]);
		return 0;
	});
	const post = () => {
		// As callers on other threads, which wait.
		for (const caller of [0, 1, 2]) MailboxSlot.on(set.buffer, caller * MailboxSlot.byteLength).state = 1;
	};
	post();
	t.true(server.poll(() => true));
	t.true(server.poll(() => served.length === 2));
	t.deepEqual(served, [0, 1]);
	post();
	t.true(server.poll());
	t.false(server.poll(() => true));
	t.deepEqual(served, [0, 1, 2, 0, 1]);
});
