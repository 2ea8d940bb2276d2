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
