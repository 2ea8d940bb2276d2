import test from 'ava';
import {ResetGuard} from './reset-guard.ts';

/** Gives the verdicts for a guest that runs for so long before each wish to start again, in milliseconds. */
function verdicts(limit: number, runs: readonly number[]) {
	let now = 1000;
	const guard = new ResetGuard(limit, 250, () => now);
	return runs.map((run) => {
		guard.running();
		now += run;
		guard.still();
		now += 1e6;
		const verdict = guard.asked();
		return verdict.kind === 'loop' ? `loop of ${verdict.resets}` : verdict.afterMs;
	});
}

test('quick resets come at once, then later and later, and too many are a loop', (t) => {
	t.deepEqual(
		verdicts(
			10,
			Array.from({length: 11}, () => 500),
		),
		[...[0, 0, 0], ...[250, 500, 1000, 2000, 4000, 4000, 4000], 'loop of 10'],
	);
});

test('a guest that ran for a minute has got somewhere, and begins anew', (t) => {
	t.deepEqual(verdicts(2, [1, 1, 60_000, 1, 1]), [0, 0, 0, 0, 'loop of 2']);
});

test('without a limit the pauses stay at their longest', (t) => {
	t.deepEqual(
		verdicts(
			0,
			Array.from({length: 40}, () => 1),
		).slice(-2),
		[4000, 4000],
	);
});

test('time during which the guest stands still does not count', (t) => {
	let now = 0;
	const guard = new ResetGuard(1, 250, () => now);
	guard.running();
	now = 30_000;
	guard.still();
	now = 90_000;
	guard.running();
	now = 119_000;
	guard.still();
	t.is(guard.asked().kind, 'reset');
	t.is(guard.asked().kind, 'loop');
});

test('a reset by the owner starts the count again', (t) => {
	const guard = new ResetGuard(1, 250, () => 0);
	guard.asked();
	guard.restarted();
	t.is(guard.asked().kind, 'reset');
});
