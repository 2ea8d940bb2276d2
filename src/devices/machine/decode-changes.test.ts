import test from 'ava';
import {DecodeChanges, DecodeState} from './decode-changes.ts';

/** Threads of one machine, which follow one number, and what the back end has. */
function machine() {
	const buffer = new SharedArrayBuffer(DecodeState.byteLength);
	const backEnd = {place: 0, has: 0, calls: 0};
	const state = DecodeState.on(buffer);
	const thread = (waits: boolean, during = () => {}) => {
		const changes = new DecodeChanges(buffer, {
			waits,
			follow: () => {
				backEnd.calls++;
				const {place} = backEnd;
				during();
				backEnd.has = place;
			},
		});
		const move = (to: number) => {
			backEnd.place = to;
			return changes.changed();
		};
		return {changes, move};
	};
	return {backEnd, state, thread};
}

test('a change under devices\u2019 locks is followed once, when the thread has given back the last of them', (t) => {
	const {backEnd, thread} = machine();
	const {changes, move} = thread(true);
	changes.hold();
	changes.hold();
	move(1);
	const last = move(2);
	changes.release();
	t.deepEqual([backEnd.has, changes.isFollowed(last)], [0, false]);
	changes.release();
	t.deepEqual(backEnd, {place: 2, has: 2, calls: 1});
	t.true(changes.isFollowed(last));
	changes.hold();
	changes.release();
	t.is(backEnd.calls, 1);
	move(3);
	t.is(backEnd.has, 3, 'without a lock at once');
});

test('a thread that does not wait comes back at once, and its change is followed by the thread that is at it', (t) => {
	const {backEnd, state, thread} = machine();
	const shared = thread(false);
	let moves = 2;
	const processor = thread(true, () => {
		if (moves-- <= 0) return;
		const change = shared.move(10 + moves);
		t.false(shared.changes.isFollowed(change));
	});
	const change = processor.move(1);
	t.deepEqual(backEnd, {place: 10, has: 10, calls: 3});
	t.true(processor.changes.isFollowed(change));
	t.deepEqual([state.lock, state.left, state.followed], [0, 0, state.generation]);
});

test('whatever a thread that does not wait comes between, the back end has the last place in the end', (t) => {
	const names = ['add', 'load', 'store', 'exchange', 'compareExchange'] as const;
	const original = {...Object.fromEntries(names.map((name) => [name, Atomics[name]]))};
	/** Calls `between` before the atomic access of this number, and says whether there was such a one. */
	const interrupted = (access: number, action: () => void, between: () => void): boolean => {
		let left = access;
		const restore = () => Object.assign(Atomics, original);
		for (const name of names) {
			const real = original[name] as (...args: unknown[]) => unknown;
			const counting = (...args: unknown[]) => {
				if (left-- === 0) {
					restore();
					between();
				}
				return real(...args);
			};
			Object.assign(Atomics, {[name]: counting});
		}
		try {
			action();
		} finally {
			restore();
		}
		return left < 0;
	};
	for (const waits of [true, false]) {
		for (let access = 0, wasThere = true; wasThere; access++) {
			const {backEnd, state, thread} = machine();
			const [first, second] = [thread(waits), thread(false)];
			wasThere = interrupted(
				access,
				() => first.move(1),
				() => void second.move(2),
			);
			if (!wasThere) {
				t.true(access >= 8, `there were ${access}`);
				break;
			}
			t.is(backEnd.has, backEnd.place, `interrupted at ${access}`);
			t.deepEqual([state.lock, state.followed], [0, state.generation]);
			first.move(3);
			t.is(backEnd.has, 3);
		}
	}
});

test('a thread that waits for one that does not come back is a fault; one that does not wait goes on', (t) => {
	const {backEnd, state, thread} = machine();
	state.lock = 1;
	const {changes, move} = thread(false);
	const change = move(1);
	t.deepEqual([backEnd.calls, changes.isFollowed(change), state.left], [0, false, 1]);
	state.lock = 0;
	thread(true).move(2);
	t.deepEqual([backEnd.has, changes.isFollowed(change), state.left], [2, true, 0]);
});

test('changes are told apart when their numbers begin again', (t) => {
	const {state, thread} = machine();
	state.generation = 2 ** 31 - 2;
	state.followed = 2 ** 31 - 2;
	const {changes, move} = thread(true);
	const [before, after] = [move(1), move(2)];
	t.deepEqual([before, after], [2 ** 31 - 1, -(2 ** 31)]);
	state.followed = before;
	t.deepEqual([changes.isFollowed(before), changes.isFollowed(after)], [true, false]);
	state.followed = after;
	t.true(changes.isFollowed(before));
});

test('what the back end throws leaves the change to be followed by the next', (t) => {
	let isBroken = true;
	const {backEnd, thread} = machine();
	const {move} = thread(true, () => {
		if (isBroken) throw new Error('a bug');
	});
	t.throws(() => move(1), {message: 'a bug'});
	isBroken = false;
	move(2);
	t.is(backEnd.has, 2);
});
