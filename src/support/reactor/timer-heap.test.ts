import test from 'ava';
import {TimerHeap} from './timer-heap.ts';

/** Numbers below 1 that look random and are the same in every run. */
function* numbers(): Generator<number, never> {
	for (let state = 1; ; ) {
		state = (state * 48_271) % 0x7fff_ffff;
		yield state / 0x7fff_ffff;
	}
}

test('timers come by their time, those of one time as they were armed, and none that was cancelled', (t) => {
	const random = numbers();
	const [heap, taken] = [new TimerHeap(), [] as number[]];
	const armed = Array.from({length: 500}, (_, number) => {
		const dueNs = Math.floor(random.next().value * 50);
		return {number, dueNs, timer: heap.arm(dueNs, () => taken.push(number))};
	});
	const isKept = ({number}: {number: number}) => number % 3 !== 0;
	for (const each of armed) if (!isKept(each)) each.timer.cancel();
	const kept = armed.filter(isKept);
	t.is(heap.size, kept.length);
	kept.sort((a, b) => a.dueNs - b.dueNs || a.number - b.number);
	t.is(heap.nextNs, kept[0]?.dueNs ?? -1);
	for (const nowNs of [20, 49]) for (let due = heap.takeDue(nowNs); due; due = heap.takeDue(nowNs)) due();
	t.deepEqual(
		taken,
		kept.map(({number}) => number),
	);
	t.deepEqual([heap.size, heap.nextNs], [0, Number.POSITIVE_INFINITY]);
});

test('what is cancelled after it has been taken, or twice, is nothing to the others', (t) => {
	const heap = new TimerHeap();
	const first = heap.arm(1, () => {});
	const second = heap.arm(2, () => {});
	heap.arm(3, () => {});
	t.is(heap.takeDue(0), undefined);
	t.truthy(heap.takeDue(1));
	for (const timer of [first, second, second]) timer.cancel();
	t.deepEqual([heap.size, heap.nextNs], [1, 3]);
});
