import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {processCount} from './process-count.ts';

test('threads have a count in common that the first of them has begun with, by its name', async (t) => {
	const count = processCount('a test');
	t.is(processCount('another test')[0], 0);
	Atomics.add(count, 0, 5);
	const url = JSON.stringify(new URL('process-count.ts', import.meta.url).href);
	const source = `import(${url}).then(({processCount}) => Atomics.add(processCount('a test'), 0, 2));`;
	const [status] = await once(new Worker(source, {eval: true}), 'exit');
	t.is(status, 0);
	t.is(processCount('a test')[0], 7);
	t.is(processCount('another test')[0], 0);
});
