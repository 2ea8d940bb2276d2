import test from 'ava';
import {MicroOp} from '#vcpu-worker/software/state';
import {type Crossing, Crossings} from './crossings.ts';

const enough = 64;
const recordOf = (way: number): number => (way + 1) * MicroOp.size;

/** Gives samples of ways in turn, one in `each` stops. @returns what comes of the last of as many as are enough */
function sample(crossings: Crossings, ways: readonly number[], each: number, to = (way: number) => 64 * way) {
	let often: readonly Crossing[] = [];
	for (let index = 0; index < enough; index++) {
		const way = ways[index % ways.length] as number;
		const crossing = () => ({from: way, to: to(way), head: recordOf(way)});
		often = crossings.note(recordOf(way), recordOf(way), crossing, (index + 1) * each, enough);
		if (index < enough - 1 && often.length > 0) throw new Error(`after ${index + 1} samples`);
	}
	return often.map(({from}) => from);
}

test('ways on which a translation is left often are told, the usual ones first, where it has an eighth of all stops', (t) => {
	t.deepEqual(sample(new Crossings(), [1, 2, 1, 3], 8), [1, 2, 3]);
	t.deepEqual(sample(new Crossings(), [1, 2, 1, 3], 9), []);
});

test('ways of fewer than a sixteenth of the samples, or to where code cannot go, are none; and there are eight at most', (t) => {
	const many = Array.from({length: enough}, (_, index) => (index % 2 === 0 ? 0 : index));
	t.deepEqual(sample(new Crossings(), many, 1), [0]);
	t.deepEqual(
		sample(new Crossings(), [1, 2], 1, (way) => (way === 1 ? 2 ** 31 : 0)),
		[2],
	);
	const sixteen = Array.from({length: 16}, (_, way) => way);
	t.is(sample(new Crossings(), sixteen, 1).length, 8);
});

test('samples begin anew when there were enough', (t) => {
	const crossings = new Crossings();
	t.deepEqual(sample(crossings, [1], 9), []);
	t.deepEqual(sample(crossings, [2], 1), [2]);
});
