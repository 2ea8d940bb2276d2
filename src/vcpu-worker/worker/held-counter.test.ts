import test from 'ava';
import {counterAt} from './held-counter.ts';

const yearNs = 365.25 * 86_400e9;

test('a counter goes by VM time at its own frequency', (t) => {
	const held = {value: 1000n, khz: 2_400_000, atNs: 5e9};
	t.is(counterAt(held, 5e9), 1000n);
	t.is(counterAt(held, 6e9), 1000n + 2_400_000_000n);
	t.is(counterAt(held, 5e9 + 7 * 86_400e9), 1000n + 604_800n * 2_400_000_000n);
});

test('ten years at 50 GHz fit, and what does not fit 64 bits wraps as the counter does', (t) => {
	const khz = 50_000_000;
	const ticks = (BigInt(10 * yearNs) * BigInt(khz)) / 1_000_000n;
	t.true(ticks < 2n ** 64n);
	t.is(counterAt({value: 0n, khz, atNs: 0}, 10 * yearNs), ticks);
	t.is(counterAt({value: 2n ** 64n - 1n, khz: 1_000_000, atNs: 0}, 1), 0n);
});
