import test from 'ava';
import {RangeMap} from './range-map.ts';

/** Lists the owners of a hundred addresses. */
const owners = (map: RangeMap) =>
	Array.from({length: 100}, (_, address) => {
		const piece = map.find(address);
		return piece < 0 ? -1 : map.owner(piece);
	});

test('what came first keeps its addresses, whatever comes later', (t) => {
	let seed = 7;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	for (let round = 0; round < 500; round++) {
		const map = new RangeMap(12);
		const expected = new Array<number>(100).fill(-1);
		for (let owner = 0; owner < 12; owner++) {
			const start = below(95);
			const end = start + 1 + below(100 - start);
			map.insert(start, end, owner);
			for (let at = start; at < end; at++) if (expected[at] === -1) expected[at] = owner;
		}
		t.deepEqual(owners(map), expected);
		t.true(map.count <= 23);
		map.clear();
		t.is(map.find(50), -1);
	}
});
