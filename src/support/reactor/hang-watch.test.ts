import {setTimeout as sleep} from 'node:timers/promises';
import {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import {close, eventfd, gettid, signalEventfd} from '#support/ffi';
import {ReactorState, type ReactorStateView, watchForHang} from './index.ts';

/** A thread whose reactor does in its first turn what `body` says, until the test is over or the gate opens. */
async function reactorThread(t: ExecutionContext, body: string) {
	const shared = new SharedArrayBuffer(ReactorState.byteLength);
	const gate = new Int32Array(new SharedArrayBuffer(4));
	const wakeFd = eventfd();
	const source = `
		const {parentPort, workerData: {url, shared, gate, wakeFd}} = require('node:worker_threads');
		import(url).then(({EpollReactor, ReactorState}) => {
			const reactor = new EpollReactor({state: ReactorState.on(shared), wakeFd});
			const again = () => { ${body} };
			reactor.defer(again);
			parentPort.once('message', () => reactor.close());
			reactor.run();
		});`;
	const url = new URL('./index.ts', import.meta.url).href;
	const worker = new Worker(source, {eval: true, workerData: {url, shared, gate, wakeFd}});
	const state = ReactorState.on(shared);
	t.teardown(async () => {
		Atomics.store(gate, 0, 1);
		Atomics.notify(gate, 0);
		worker.postMessage('close');
		signalEventfd(wakeFd);
		await new Promise((resolve) => worker.once('exit', resolve));
		close(wakeFd);
	});
	while (state.turns === 0) await sleep(10);
	return state;
}

/** Tells whether the thread is said to hang, within somewhat more than the time that it takes. */
async function hangs(state: ReactorStateView) {
	let said: {tid: number; seconds: number} | undefined;
	const watch = watchForHang(state, (tid, seconds) => {
		said = {tid, seconds};
	});
	for (let round = 0; said === undefined && round < 70; round++) await sleep(100);
	watch.close();
	return said;
}

test('a thread that spins or sleeps in one turn hangs', async (t) => {
	for (const body of ['while (Atomics.load(gate, 0) === 0);', 'Atomics.wait(gate, 0, 0);']) {
		const state = await reactorThread(t, body);
		t.deepEqual(await hangs(state), {tid: state.tid, seconds: 5});
		t.not(state.tid, gettid());
	}
});

test('a thread that waits for events, or is busy turn after turn, does not', async (t) => {
	const idle = await reactorThread(t, '');
	const busy = await reactorThread(
		t,
		'Atomics.wait(gate, 0, 0, 50); if (Atomics.load(gate, 0) === 0) reactor.defer(again);',
	);
	t.deepEqual(await Promise.all([hangs(idle), hangs(busy)]), [undefined, undefined]);
});

test('a thread that is gone does not', async (t) => {
	const state = ReactorState.on(new SharedArrayBuffer(ReactorState.byteLength));
	state.tid = 2 ** 22 + 1;
	t.is(await hangs(state), undefined);
});
