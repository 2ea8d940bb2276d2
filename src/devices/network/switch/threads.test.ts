import {Worker} from 'node:worker_threads';
import test from 'ava';
import {packet, TestNic} from '#devices/network/testing';
import {EpollReactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';
import {switchBytes} from './switch-memory.ts';

const [senders, frames] = [3, 20_000];

/** A port on a thread of its own, which sends when it is told how many. */
const script = `
	const {parentPort, workerData} = require('node:worker_threads');
	const {common, sender, urls} = workerData;
	Promise.all(urls.map((url) => import(url))).then(([{SwitchEndpoint, SwitchCounters}, {packet, TestNic}]) => {
	const reactor = {watch: () => ({interest() {}, close() {}})};
	const memory = new SharedArrayBuffer(SwitchCounters.byteLength);
	const endpoint = new SwitchEndpoint({name: 'lan'}, new TestNic(), {common, memory, offset: 0, reactor, track() {}});
	const to = Uint8Array.of(2, 0, 0, 0, 0, 1), from = Uint8Array.of(2, 0, 0, 0, 1, sender);
	const made = Array.from({length: 16}, (_, each) =>
		packet({to, from, payload: new Uint8Array(each * 190 + sender).fill(16 * sender + each)}),
	);
	parentPort.on('message', (count) => {
		if (count === 0) {
			endpoint.dispose();
			parentPort.close();
			return;
		}
		for (let sequence = 0; sequence < count; sequence++) {
			const frame = made[sequence % made.length];
			frame.view.setUint32(38, sequence);
			endpoint.send(frame);
		}
		parentPort.postMessage(SwitchCounters.on(memory, 0).lostThere);
	});
	parentPort.postMessage('ready');
	});
`;

test('ports on several threads: each frame is whole and in its order, or lost and counted, and none is slept over', async (t) => {
	const reactor = new EpollReactor();
	const running = reactor.run();
	const common = new SharedArrayBuffer(switchBytes);
	const memory = new SharedArrayBuffer(SwitchCounters.byteLength);
	const last = new Array<number>(senders).fill(-1);
	let [count, wrong] = [0, 0];
	const nic = Object.assign(new TestNic(), {
		receive({view, bytes, length}: ReturnType<typeof packet>) {
			const [sender, sequence] = [bytes[11] as number, view.getUint32(38)];
			const each = sequence % 16;
			const [size, fill] = [each * 190 + sender, 16 * sender + each];
			const isWhole = length === 54 + size && bytes.subarray(54, length).every((byte) => byte === fill);
			if (!isWhole || sequence <= (last[sender] as number)) wrong++;
			last[sender] = sequence;
			count++;
			return true;
		},
	});
	const endpoint = new SwitchEndpoint({name: 'lan'}, nic, {
		common,
		memory,
		offset: 0,
		reactor,
		program: noProgram,
		noticed() {},
		track() {},
	});
	endpoint.start();
	endpoint.send(packet({from: Uint8Array.of(2, 0, 0, 0, 0, 1)}));
	const until = async (condition: () => boolean) => {
		while (!condition()) await new Promise<void>((resolve) => void reactor.after(1e6, resolve));
	};
	const urls = ['switch-endpoint.ts', '../testing/index.ts'].map((path) => new URL(path, import.meta.url).href);
	const said: unknown[][] = [];
	const workers = Array.from({length: senders}, (_, sender) => {
		const answers: unknown[] = [];
		said.push(answers);
		const worker = new Worker(script, {eval: true, workerData: {common, sender, urls}});
		worker.on('message', (answer) => answers.push(answer));
		worker.on('error', (error) => answers.push(error));
		return worker;
	});
	const answered = (times: number) => until(() => said.every(({length}) => length === times));
	await answered(1);
	for (const worker of workers) worker.postMessage(frames);
	await answered(2);
	const lost = said.reduce((sum, answers) => sum + (answers[1] as number), 0);
	await until(() => count + lost >= senders * frames);
	t.deepEqual([count + lost, wrong], [senders * frames, 0], String(said));
	// A machine that is paused and goes on amid all of it.
	last.fill(-1);
	for (const worker of workers) worker.postMessage(frames);
	while (said.some(({length}) => length < 3)) {
		endpoint.stop();
		endpoint.start();
		await new Promise<void>((resolve) => void reactor.after(1e5, resolve));
	}
	await answered(3);
	t.is(wrong, 0);
	last.fill(-1);
	const before = count;
	endpoint.stop();
	endpoint.start();
	for (const worker of workers) worker.postMessage(1);
	await until(() => count === before + senders);
	t.is(wrong, 0);
	for (const worker of workers) worker.postMessage(0);
	endpoint.stop();
	endpoint.dispose();
	reactor.close();
	await running;
});
