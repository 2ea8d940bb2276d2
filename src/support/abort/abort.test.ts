import {getEventListeners} from 'node:events';
import test from 'ava';
import {abortable, untilAborted} from './index.ts';

test('work that is given up is one error, whatever the reason; what it fails with itself is not', async (t) => {
	const asked = new AbortController();
	const work = Promise.withResolvers<void>();
	const doing = abortable('dump-core', asked.signal, async () => {
		await work.promise;
		asked.signal.throwIfAborted();
	});
	asked.abort(new Error('enough'));
	work.resolve();
	const error = await t.throwsAsync(doing, {code: 'OPERATION_ABORTED', message: /dump-core .*: enough/});
	t.is(error?.cause, asked.signal.reason);
	const unbegun = abortable('dump-core', AbortSignal.abort(), async () => t.fail('it is not begun'));
	await t.throwsAsync(unbegun, {code: 'OPERATION_ABORTED'});
	const failing = abortable('dump-core', asked.signal, () => Promise.reject(new Error('full')));
	await t.throwsAsync(failing, {code: 'OPERATION_ABORTED'}, 'not begun either');
	const late = new AbortController();
	const broken = abortable('dump-core', late.signal, async () => {
		late.abort();
		throw new Error('full');
	});
	await t.throwsAsync(broken, {message: 'full'});
});

test('work that nothing ends is waited for until it is given up, and leaves no listener', async (t) => {
	const {signal, abort} = (() => {
		const controller = new AbortController();
		return {signal: controller.signal, abort: () => controller.abort(new Error('enough'))};
	})();
	t.is(await untilAborted(Promise.resolve(7), signal), 7);
	await t.throwsAsync(untilAborted(Promise.reject(new Error('full')), signal), {message: 'full'});
	const hanging = untilAborted(new Promise(() => {}), signal);
	t.is(getEventListeners(signal, 'abort').length, 1);
	abort();
	await t.throwsAsync(hanging, {message: 'enough'});
	t.is(getEventListeners(signal, 'abort').length, 0);
	await t.throwsAsync(untilAborted(Promise.reject(new Error('late')), signal), {message: 'enough'});
});
