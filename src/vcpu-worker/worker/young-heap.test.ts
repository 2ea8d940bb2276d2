import {constants, type PerformanceEntry, PerformanceObserver} from 'node:perf_hooks';
import {setTimeout as sleep} from 'node:timers/promises';
import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';
import test from 'ava';
import {YoungHeap} from './young-heap.ts';

interface Collection extends PerformanceEntry {
	readonly detail: {readonly kind: number; readonly flags: number};
}

test.serial(
	'V8 looks through what is young when the thread has been idle for a while, once, and not when a machine has come',
	async (t) => {
		const seen: number[] = [];
		const first = Promise.withResolvers<void>();
		const observer = new PerformanceObserver((list) => {
			for (const {detail} of list.getEntries() as Collection[]) {
				if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) === 0) continue;
				seen.push(detail.kind);
				first.resolve();
			}
		});
		observer.observe({entryTypes: ['gc']});
		const heap = new YoungHeap();
		heap.isIdle();
		heap.isBusy();
		await sleep(500);
		t.deepEqual(seen, []);
		heap.isIdle();
		heap.isIdle();
		// A timer of our own would keep the process when all is over.
		t.timeout(60_000);
		await first.promise;
		await sleep(300);
		observer.disconnect();
		t.deepEqual(seen, [constants.NODE_PERFORMANCE_GC_MINOR]);
	},
);

test.serial('a process that was started with --expose-gc stays so', async (t) => {
	setFlagsFromString('--expose-gc');
	t.teardown(() => {
		setFlagsFromString('--no-expose-gc');
		Reflect.deleteProperty(globalThis, 'gc');
	});
	const collected = Promise.withResolvers<unknown>();
	// Each thread of such a process has it.
	globalThis.gc = ((options: unknown) => collected.resolve(options)) as typeof gc;
	new YoungHeap().isIdle();
	t.timeout(60_000);
	t.deepEqual(await collected.promise, {type: 'minor'});
	t.is(runInNewContext('typeof gc'), 'function');
});
