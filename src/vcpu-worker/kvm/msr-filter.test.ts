import test from 'ava';
import {refusing} from './msr-filter.ts';

const shown = (ranges: ReturnType<typeof refusing>) =>
	ranges.map(({base, allow}) => [base, allow.map((allowed) => (allowed ? '.' : 'x')).join('')]);

test("neighbours share a range, in whatever order they come, and what lies between stays the back end's", (t) => {
	const ranges = refusing([
		{first: 0x4000_0008, count: 1},
		{first: 0x10, count: 3},
		{first: 0x4000_0000, count: 2},
		{first: 0x4000_0002, count: 1},
	]);
	t.deepEqual(shown(ranges), [
		[0x10, 'xxx'],
		[0x4000_0000, 'xxx.....x'],
	]);
});

test('a claim that is longer than a range is refused to its end, and no further', (t) => {
	const ranges = refusing([
		{first: 0x1000, count: 0x3000},
		{first: 0x4000, count: 0x3001},
	]);
	t.deepEqual(
		ranges.map(({base, allow}) => [base, allow.length, allow.includes(true)]),
		[
			[0x1000, 0x3000, false],
			[0x4000, 0x3000, false],
			[0x7000, 1, false],
		],
	);
});

test('registers in more places than the filter has ranges are named, all registers at once too', (t) => {
	const places = (count: number) => Array.from({length: count}, (_, index) => ({first: index * 2 ** 24, count: 1}));
	t.is(refusing(places(16)).length, 16);
	t.throws(() => refusing(places(17)), {code: 'KVM_MSR_RANGES', message: /0x10000000 is beyond/});
	t.throws(() => refusing([{first: 0, count: 2 ** 32}]), {code: 'KVM_MSR_RANGES'});
});
