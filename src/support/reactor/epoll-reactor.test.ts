import {once} from 'node:events';
import {read as readFile} from 'node:fs';
import {connect} from 'node:net';
import {MessageChannel, Worker} from 'node:worker_threads';
import test from 'ava';
import {close, eventfd, O, open, signalEventfd} from '#support/ffi';
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

test('promises that wait for each other all go on before the thread sleeps', async (t) => {
	const reactor = new EpollReactor();
	let [steps, hasSlept] = [0, false];
	reactor.defer(async () => {
		for (; steps < 100; steps++) await null;
		reactor.close();
	});
	// It would sleep until then.
	reactor.after(10e9, () => {
		hasSlept = true;
		reactor.close();
	});
	await reactor.run();
	t.deepEqual([steps, hasSlept], [100, false]);
});

test('since when a turn lasts can be seen from the first one on', async (t) => {
	const seen: number[] = [];
	const poll = () => {
		seen.push(reactor.state.turnNs);
		reactor.close();
		return true;
	};
	const reactor = new EpollReactor();
	const wakeFd = eventfd();
	const part = reactor.look({wakeFd, poll, sleeping() {}});
	const before = Number(process.hrtime.bigint());
	await reactor.run();
	part.close();
	close(wakeFd);
	t.true((seen[0] ?? 0) >= before);
});

for (const pollNs of [0, 1e9]) {
	test(`parts that always have work keep neither each other nor timers from their turn, looking for ${pollNs} ns`, async (t) => {
		const reactor = new EpollReactor({pollNs});
		const [first, second] = [countingPart(reactor), countingPart(reactor)];
		const timers: string[] = [];
		let [looksAtFirst, looksAtSecond] = [0, 0];
		reactor.after(2e6, () => {
			timers.push('second');
			first.close();
			[looksAtFirst, looksAtSecond] = [first.looks, second.looks];
			reactor.after(1e6, () => reactor.close());
		});
		reactor.after(1e6, () => timers.push('first'));
		await reactor.run();
		t.deepEqual(timers, ['first', 'second']);
		t.true(looksAtFirst > 0 && Math.abs(looksAtFirst - looksAtSecond) <= 1);
		t.is(first.looks, looksAtFirst, 'one that has left is not looked at');
		t.true(second.looks > looksAtSecond);
		t.is(reactor.state.parts, 1);
		second.close();
	});
}

/** A part that has work whenever it is looked at. */
function countingPart(reactor: EpollReactor) {
	const wakeFd = eventfd();
	const counting = {
		looks: 0,
		close() {
			part.close();
			close(wakeFd);
		},
	};
	const part = reactor.look({wakeFd, poll: () => ++counting.looks > 0, sleeping() {}});
	return counting;
}

test('each part is told of sleep before the last look, and its descriptor ends it', async (t) => {
	const reactor = new EpollReactor();
	const told: string[] = [];
	const parts = ['a', 'b'].map((name) => {
		const wakeFd = eventfd();
		let asleep = false;
		const part = reactor.look({
			wakeFd,
			poll() {
				if (asleep) told.push(name);
				// As another thread does that finds the flag up.
				if (asleep && name === 'b') signalEventfd(wakeFd);
				return false;
			},
			sleeping(now) {
				if (asleep && !now && name === 'b') reactor.close();
				asleep = now;
			},
		});
		return {part, wakeFd};
	});
	await reactor.run();
	for (const {part, wakeFd} of parts) {
		part.close();
		close(wakeFd);
	}
	t.deepEqual(told, ['a', 'b']);
	t.is(reactor.state.sleeps, 1);
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

test('a descriptor that cannot be waited for is refused, and node:fs has its callbacks while the thread sleeps', async (t) => {
	const reactor = new EpollReactor();
	const file = open(import.meta.filename, O.RDONLY);
	const watch = () => reactor.watch(file, {readable: true, writable: false}, () => {});
	t.throws(watch, {code: 'DESCRIPTOR_UNWATCHABLE', message: /EPERM/});
	t.throws(() => reactor.watch(-1, {readable: true, writable: false}, () => {}), {message: /EBADF/});
	const target = new Uint8Array(6);
	reactor.defer(() => readFile(file, target, 0, 6, 0, () => reactor.defer(() => reactor.close())));
	await reactor.run();
	t.is(Buffer.from(target).toString(), 'import');
	t.is(reactor.state.descriptors, 0);
	close(file);
});

test('messages to the thread are handled while it sleeps, and let it sleep again', async (t) => {
	const {port1, port2} = new MessageChannel();
	const source = `
		const {workerData} = require('node:worker_threads');
		import(workerData.reactor).then(({EpollReactor}) => {
			const {port} = workerData;
			const reactor = new EpollReactor();
			port.on('message', (text) => {
				if (text === 'end') return reactor.close();
				if (text !== 'rest') return port.postMessage(text + '!');
				const {turns} = reactor.state;
				reactor.after(20e6, () => port.postMessage(reactor.state.turns - turns));
			});
			reactor.run().then(() => port.close());
		});`;
	const url = new URL('./index.ts', import.meta.url).href;
	const worker = new Worker(source, {eval: true, workerData: {port: port2, reactor: url}, transferList: [port2]});
	const ask = (text: string) => {
		const reply = new Promise((resolve) => port1.once('message', resolve));
		port1.postMessage(text);
		return reply;
	};
	for (const text of ['one', 'two']) t.is(await ask(text), `${text}!`);
	// V8 has work of its own for the thread's loop at first.
	const turns: unknown[] = [];
	while (turns.at(-1) !== 3 && turns.length < 50) turns.push(await ask('rest'));
	t.is(turns.at(-1), 3, 'one to begin the wait, one to look once more, and one when the timer expires');
	port1.postMessage('end');
	await new Promise((resolve) => worker.once('exit', resolve));
});

test('what a callback begins with node:net is heard of once the thread has been asked for a turn of it', async (t) => {
	const worker = new Worker(
		`const server = require('node:net').createServer((socket) => socket.end('hello'));
		server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));`,
		{eval: true},
	);
	const [port] = await once(worker, 'message');
	const reactor = new EpollReactor();
	let heard = '';
	reactor.after(1e6, () => {
		const socket = connect(port, '127.0.0.1');
		reactor.turnNode();
		socket.on('data', (data) => {
			heard += data;
		});
		socket.on('close', () => reactor.close());
	});
	await reactor.run();
	await worker.terminate();
	t.is(heard, 'hello');
});

test('what was closed in a round of node:net is told though nothing else gives the thread another one', async (t) => {
	const worker = new Worker(
		`const server = require('node:net').createServer((socket) => {
			socket.on('error', () => {});
			setTimeout(() => socket.write('hello'), 100);
		});
		server.listen(0, '127.0.0.1', () => require('node:worker_threads').parentPort.postMessage(server.address().port));`,
		{eval: true},
	);
	const [port] = await once(worker, 'message');
	const reactor = new EpollReactor();
	const heard: string[] = [];
	reactor.after(1e6, () => {
		const socket = connect(port, '127.0.0.1');
		reactor.turnNode();
		socket.on('data', () => socket.destroy());
		socket.on('close', () => {
			heard.push('closed');
			reactor.close();
		});
	});
	// Were it told by nothing else, it would be by this.
	reactor.after(20e9, () => {
		heard.push('late');
		reactor.close();
	});
	await reactor.run();
	await worker.terminate();
	t.deepEqual(heard, ['closed']);
});

test('a thread whose work comes late has learned to sleep at once', async (t) => {
	const reactor = new EpollReactor({pollNs: 5e6});
	// A busy host wakes the thread late now and then, which looks like work that comes soon.
	const [mostTimers, turnsOfTimer, inRow] = [2000, 4, 6];
	let [timers, asleep, turns] = [0, 0, 0];
	const again = () => {
		timers++;
		asleep = reactor.state.turns - turns <= turnsOfTimer ? asleep + 1 : 0;
		turns = reactor.state.turns;
		if (asleep === inRow || timers === mostTimers) reactor.close();
		else reactor.after(20e6, again);
	};
	reactor.after(0, again);
	await reactor.run();
	t.is(asleep, inRow);
});
