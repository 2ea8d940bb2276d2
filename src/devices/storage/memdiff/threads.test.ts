import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {Overlay} from './index.ts';
import type {OverlayThread} from './testing/overlay-thread.ts';

const limit = 2 ** 18;
const threads = 3;
const source = `
	const {workerData, parentPort} = require('node:worker_threads');
	import(workerData.module).then(({useOverlay}) => parentPort.postMessage(useOverlay(workerData)));
`;

test('several threads change one overlay: no sector is of two writes, or of another place, and no page is lost', async (t) => {
	const memory = new SharedArrayBuffer(Overlay.sharedBytes(limit));
	const module = new URL('./testing/overlay-thread.ts', import.meta.url).href;
	const ended = Array.from({length: threads}, async (_, index) => {
		const parts: OverlayThread = {memory, limit, thread: index + 1, steps: 10_000};
		const worker = new Worker(source, {eval: true, workerData: {...parts, module}});
		const [found] = await once(worker, 'message');
		return found as {wrong: string[]; full: number};
	});
	const found = await Promise.all(ended);
	t.deepEqual(
		found.map(({wrong}) => wrong),
		found.map(() => []),
	);
	t.true(
		found.some(({full}) => full > 0),
		'there was no room now and then',
	);
	const overlay = new Overlay(memory, 0, limit);
	t.true(overlay.bytes <= limit);
	overlay.lock();
	overlay.drop(0, 16 * 2 ** 20);
	overlay.unlock();
	t.is(overlay.bytes, 0);
});
