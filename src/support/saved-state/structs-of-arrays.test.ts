import test from 'ava';
import {u8, u32, wire} from '#support/wire';
import {structsOfArrays} from './index.ts';

const Item = wire('item', {level: u8, count: u32});
const base64 = (...bytes: number[]) => Buffer.from(bytes).toString('base64');

test('arrays of bytes and of words become fields of structs, other fields stay', (t) => {
	const old = {level: base64(3, 255), count: base64(1, 2, 0, 0, 4, 0, 0, 1), other: 5};
	t.deepEqual(structsOfArrays(old, Item, 2), {
		structs: [
			{level: 3, count: 0x201},
			{level: 255, count: 0x100_0004},
		],
		others: {other: 5},
	});
});

test('what is no array of as many gives structs without the field', (t) => {
	for (const level of [base64(1), base64(1, 2, 3), '', 7, {}, []])
		t.deepEqual(structsOfArrays({level}, Item, 2).structs, [{}, {}]);
});
