import {MessageChannel, Worker} from 'node:worker_threads';
import test from 'ava';
import {close, eventfd, O, open, read, signalEventfd, write} from '#support/ffi';
import {EpollReactor} from './index.ts';

test('timers expire in order of their delay, and a cancelled one does not', async (t) => {
	const reactor = new EpollReactor();
	const order: string[] = [];
	reactor.after(8e6, () => {
		order.push('second');
		reactor.close();
	});
	reactor.after(2e6, () => order.push('first'));
	reactor.after(4e6, () => order.push('cancelled')).cancel();
	reactor.defer(() => order.push('deferred'));
	await reactor.run();
	t.deepEqual(order, ['deferred', 'first', 'second']);
});

test('since when a turn lasts can be seen from the first one on', async (t) => {
	const seen: number[] = [];
	const poll = () => {
		seen.push(reactor.state.turnNs);
		reactor.close();
		return true;
	};
	const reactor = new EpollReactor({polled: {poll, sleeping() {}}});
	const before = Number(process.hrtime.bigint());
	await reactor.run();
	t.true((seen[0] ?? 0) >= before);
});

test('a watched descriptor is reported until its interest or its watch ends', async (t) => {
	const reactor = new EpollReactor();
	const fd = eventfd();
	let calls = 0;
	const watch = reactor.watch(fd, {readable: true, writable: false}, (state) => {
		t.like(state, {readable: true, failed: false});
		calls++;
		if (calls !== 3) return;
		watch.interest(false, false);
		reactor.after(5e6, () => {
			watch.close();
			reactor.close();
		});
	});
	signalEventfd(fd);
	await reactor.run();
	close(fd);
	t.is(calls, 3);
});

test('a regular file counts as always ready', async (t) => {
	const reactor = new EpollReactor();
	const fd = open('/dev/null', O.WRONLY);
	const file = open(import.meta.filename, O.RDONLY);
	const watch = reactor.watch(file, {readable: true, writable: false}, () => {
		t.true(read(file, new Uint8Array(4)) === 4);
		watch.close();
		reactor.close();
	});
	t.is(write(fd, Uint8Array.of(1)), 1);
	await reactor.run();
});

test('messages to the thread are handled when the wake descriptor is signalled', async (t) => {
	const {port1, port2} = new MessageChannel();
	const source = `
		const {workerData, parentPort} = require('node:worker_threads');
		import(workerData.reactor).then(({EpollReactor}) => {
			const reactor = new EpollReactor();
			workerData.port.on('message', (text) => { workerData.port.postMessage(text + '!'); if (text === 'stop') reactor.close(); });
			parentPort.postMessage(reactor.wakeFd);
			reactor.run().then(() => workerData.port.close());
		});`;
	const url = new URL('./index.ts', import.meta.url).href;
	const worker = new Worker(source, {eval: true, workerData: {port: port2, reactor: url}, transferList: [port2]});
	const wakeFd: number = await new Promise((resolve) => worker.once('message', resolve));
	for (const text of ['one', 'two', 'stop']) {
		const reply = new Promise((resolve) => port1.once('message', resolve));
		port1.postMessage(text);
		signalEventfd(wakeFd);
		t.is(await reply, `${text}!`);
	}
	await new Promise((resolve) => worker.once('exit', resolve));
});
