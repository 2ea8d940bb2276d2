import test from 'ava';
import {Recovery} from './recovery.ts';

const mss = 1000;

/** A connection that is open, with so much sent at 0 ms. */
function make({segments = 10, takesSack = true, isLate = false, rttMs = 0} = {}) {
	const recovery = new Recovery();
	recovery.transmitted(0, 1, -rttMs);
	recovery.learn(mss, takesSack);
	recovery.synAnswered(isLate, 0);
	const at = (segment: number) => 1 + segment * mss;
	const send = (from: number, to: number, nowMs = 0) => recovery.transmitted(at(from), at(to), nowMs);
	if (segments > 0) send(0, segments);
	const answer = (nowMs: number, position: number, ...blocks: readonly (readonly [number, number])[]) =>
		recovery.answered(
			{
				position: at(position),
				blocks: blocks.map(([from, to]) => [at(from), at(to)]),
				isDuplicate: at(position) === recovery.acknowledged,
			},
			nowMs,
		);
	const lost = () => recovery.firstLost && [(recovery.firstLost.from - 1) / mss, (recovery.firstLost.to - 1) / mss];
	return {recovery, send, answer, lost};
}

test('what is waited for in vain is waited for twice as long each time, until something that was sent once is answered', (t) => {
	const {recovery, send, answer} = make({segments: 1});
	t.is(recovery.timeoutMs, 200);
	for (const wanted of [400, 800, 1600]) {
		recovery.timedOut();
		t.is(recovery.timeoutMs, wanted);
		send(0, 1, wanted);
	}
	answer(2000, 1);
	t.is(recovery.timeoutMs, 1600, 'of what was sent twice nobody knows what is answered');
	send(1, 2, 2000);
	answer(2010, 2);
	t.is(recovery.timeoutMs, 200);
});

test('after a SYN that was sent more than once data is waited for three seconds', (t) => {
	t.is(make({isLate: true}).recovery.timeoutMs, 3000);
});

test('a probe is sent after two round trips where nothing comes, later where a guest may wait for a second segment, and not where something is missing', (t) => {
	t.is(make({rttMs: 40}).recovery.dueMs, 80);
	t.is(make({rttMs: 40, segments: 1}).recovery.dueMs, 130);
	t.is(make({rttMs: 1}).recovery.dueMs, 10);
	t.is(make({segments: 0}).recovery.dueMs, undefined);
	t.is(make({takesSack: false}).recovery.dueMs, undefined);
	const {recovery, answer} = make({rttMs: 40});
	answer(40, 0, [5, 6]);
	t.is(recovery.dueMs, 50, 'what may be late is looked at instead');
	t.is(recovery.expire(50), 'lost');
	t.is(recovery.dueMs, undefined);
});

test('a loss that a probe has repaired halves what may be under way, and one that there was none does not', (t) => {
	for (const wasInVain of [false, true]) {
		const {recovery, send, answer} = make();
		t.is(recovery.expire(10), 'probe');
		send(9, 10, 10);
		recovery.probed(true);
		// The guest says what has come twice (RFC 2883), or nothing of that.
		if (wasInVain) answer(20, 10, [9, 10]);
		else answer(20, 10);
		send(10, 11, 20);
		answer(30, 11);
		t.is(recovery.room < 10 * mss, !wasInVain, `${recovery.room}`);
		if (!wasInVain) t.is(recovery.room, 5 * mss);
	}
});

test('guests without SACK tell of a loss by three acknowledgments of the same, and of the next one by the part that they acknowledge', (t) => {
	const {answer, lost, send} = make({takesSack: false});
	t.false(answer(1, 0));
	t.false(answer(1, 0));
	t.true(answer(1, 0));
	t.deepEqual(lost(), [0, 1]);
	send(0, 1, 1);
	t.is(lost(), undefined);
	t.true(answer(2, 4));
	t.deepEqual(lost(), [4, 5]);
	send(4, 5, 2);
	t.false(answer(3, 10));
	t.is(lost(), undefined);
});

test('once something has come in another order losses are waited for, and longer when something has come twice', (t) => {
	const {recovery, answer, lost} = make({rttMs: 40});
	answer(40, 0, [1, 2]);
	t.is(recovery.dueMs, 50);
	answer(45, 2);
	answer(50, 2, [3, 8]);
	t.is(lost(), undefined, 'though three segments are behind it');
	t.is(recovery.dueMs, 60);
	answer(55, 2, [0, 1], [3, 9]);
	t.deepEqual([lost(), recovery.dueMs], [undefined, 75]);
	t.is(recovery.expire(75), 'lost');
	t.deepEqual(lost(), [2, 3]);
});
