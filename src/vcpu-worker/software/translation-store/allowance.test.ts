import test from 'ava';
import {Allowance} from './allowance.ts';

test('what is left grows again, up to what there was', (t) => {
	let nowMs = 0;
	const allowance = new Allowance(3, 2, () => nowMs);
	const spent = () => {
		let count = 0;
		while (allowance.spend()) count++;
		return count;
	};
	t.is(spent(), 3);
	t.is(spent(), 0);
	nowMs = 400;
	t.is(spent(), 0);
	nowMs = 500;
	t.is(spent(), 1);
	nowMs = 1e6;
	t.is(spent(), 3);
});
