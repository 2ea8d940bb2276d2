import test from 'ava';
import {asAddress, below, guest, masked, oneOf, within} from './index.ts';

test('a check passes what it is about and nothing else', (t) => {
	const numbers = [-1, 0, 1, 7, 8, 9, 2 ** 52, 2 ** 64, Number.NaN];
	const passing = (check: (value: ReturnType<typeof guest<number>>) => number | undefined) =>
		numbers.filter((number) => Object.is(check(guest(number)), number));
	t.deepEqual(
		passing((value) => below(value, 8)),
		[0, 1, 7],
	);
	t.deepEqual(
		passing((value) => within(value, 1, 8)),
		[1, 7, 8],
	);
	t.deepEqual(
		passing((value) => oneOf(value, [8, 9])),
		[8, 9],
	);
	t.deepEqual(passing(asAddress), [0, 1, 7, 8, 9]);
	t.deepEqual(
		passing((value) => asAddress(value, 8)),
		[0, 8],
	);
});

test('bits are taken out of 32 without a sign', (t) => {
	t.is(masked(guest(0xffff_ffff), 0x8000_0001), 0x8000_0001);
	t.is(masked(guest(0x1234), 0xff), 0x34);
});

test('an address may come as a bigint', (t) => {
	t.is(asAddress(guest(0xf_ffff_ffff_f000n), 4096), 0xf_ffff_ffff_f000);
	t.is(asAddress(guest(2n ** 64n - 4096n), 4096), undefined);
});

test('no check passes what could not be read', (t) => {
	t.is(below(undefined, 8), undefined);
	t.is(within(undefined, 0, 8), undefined);
	t.is(oneOf(undefined, [0]), undefined);
	t.is(masked(undefined, 1), undefined);
	t.is(asAddress(undefined), undefined);
});
