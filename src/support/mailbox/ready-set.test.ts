import test from 'ava';
import {ReadySet, ReadySetState, readySlots} from './ready-set.ts';

function make() {
	const buffer = new SharedArrayBuffer(ReadySetState.byteLength);
	const [ringer, worker] = [new ReadySet(buffer), new ReadySet(buffer)];
	const take = () => {
		const slots: number[] = [];
		worker.take((slot) => slots.push(slot) > 0);
		return slots;
	};
	return {ringer, worker, take};
}

test('every slot that was signalled is taken once, however often it was signalled', (t) => {
	const {ringer, take} = make();
	const slots = [0, 31, 32, 1023, 1024, readySlots - 1];
	t.deepEqual(
		slots.map((slot) => ringer.signal(slot)),
		slots.map(() => true),
	);
	t.false(ringer.signal(31), 'nobody has to be told again');
	t.deepEqual(take(), slots);
	t.deepEqual(take(), []);
	t.true(ringer.signal(31));
	t.deepEqual([ringer.signals(31), ringer.signals(30)], [2, 0]);
});

test('what is signalled while slots are served is taken then or the next time', (t) => {
	const {ringer, worker, take} = make();
	ringer.signal(5);
	const served: number[] = [];
	t.false(
		worker.take((slot) => {
			served.push(slot);
			if (served.length === 1) for (const later of [4, 5, 2000]) t.true(ringer.signal(later));
			return false;
		}),
	);
	t.deepEqual(
		[...served, ...take()].sort((a, b) => a - b),
		[4, 5, 5, 2000],
	);
});

test('a turn has its limit, and slots that are always ready do not keep the others from theirs', (t) => {
	const {ringer, worker} = make();
	for (const slot of [0, 1, 40, 1500]) ringer.signal(slot);
	const turn = () => {
		const served: number[] = [];
		worker.take((slot) => {
			ringer.signal(slot);
			return served.push(slot) > 0;
		}, 2);
		return served;
	};
	t.deepEqual(
		[turn(), turn(), turn()],
		[
			[0, 1],
			[40, 1500],
			[0, 1],
		],
	);
	t.true(
		worker.take(() => false, 1),
		'there is more, whatever came of these',
	);
	t.false(worker.take(() => false));
});

test('a turn ends when its time is over, and the next one begins with the slot after the last', (t) => {
	const {ringer, worker} = make();
	const slots = [3, 4, 31, 64, 2047];
	for (const slot of slots) ringer.signal(slot);
	const turns = slots.map(() => {
		const served: number[] = [];
		const left = worker.take(
			(slot) => {
				// Ready again at once, as a queue that is never empty.
				if (slot === 4) ringer.signal(slot);
				return served.push(slot) > 0;
			},
			undefined,
			() => served.length === 2,
		);
		return [left, served];
	});
	t.deepEqual(turns, [
		[true, [3, 4]],
		[true, [31, 64]],
		[true, [2047, 4]],
		[true, [4]],
		[true, [4]],
	]);
	t.true(ringer.signal(3), 'what was left is left once');
});

test('random turns serve every slot that is signalled, none twice, and none of a word before those that waited longer', (t) => {
	const {ringer, worker} = make();
	let seed = 1;
	const random = (below: number) => {
		seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
		return Math.floor((seed / 2 ** 31) * below);
	};
	const waiting = new Map<number, number>();
	for (let turn = 0; turn < 20_000; turn++) {
		for (let count = random(6); count > 0; count--) {
			const slot = random(4) === 0 ? random(readySlots) : random(70);
			if (ringer.signal(slot) !== !waiting.has(slot)) t.fail(`slot ${slot}`);
			if (!waiting.has(slot)) waiting.set(slot, turn);
		}
		const most = 1 + random(4);
		let served = 0;
		const left = worker.take(
			(slot) => {
				served++;
				// In each turn at least one is served, so that nothing waits for more of them than there are slots.
				if (turn - (waiting.get(slot) ?? Number.NEGATIVE_INFINITY) > readySlots) t.fail(`slot ${slot} in turn ${turn}`);
				waiting.delete(slot);
				return true;
			},
			undefined,
			() => served === most,
		);
		if (left !== served > 0 || (served < most && waiting.size > 0)) t.fail(`turn ${turn}`);
	}
	while (worker.take((slot) => waiting.delete(slot)));
	t.is(waiting.size, 0);
});
