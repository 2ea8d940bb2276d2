import test from 'ava';
import type {DoorbellDeclaration, Region} from '#devices/device';
import {array, i32, u16, u32, wire} from '#support/wire';
import {checkDoorbells} from './index.ts';

const regions: readonly Region[] = [
	{space: 'mmio', name: 'registers', base: 0x1000, length: 0x100},
	{space: 'pio', name: 'ports', base: 0x500, length: 2, yields: true},
	{space: 'config', name: 'config', base: 0, length: 4096},
	{space: 'pages', name: 'bar2', base: 0, length: 4096},
];
const {fields} = wire('nic', {
	tails: array(u32, 4),
	heads: array(i32, 2),
	small: array(u16, 4),
	tail: u32,
	pairs: array(wire('pair', {a: u32}), 2),
});
const check = (...doorbells: Partial<DoorbellDeclaration>[]) =>
	checkDoorbells(
		'nic',
		doorbells.map((each) => ({region: 0, offset: 0, size: 4, queue: 0, ...each})),
		regions,
		fields,
	);

test('doorbells lead to as many queues as the highest one says', (t) => {
	t.is(check(), 0);
	t.is(check({queue: 1}, {offset: 4, queue: 7}, {offset: 8, size: 'any', queue: 7}), 8);
	t.is(check({stores: {field: 'tails', index: 3}}, {offset: 4, queue: 1, stores: {field: 'heads', index: 1}}), 2);
	t.is(check({match: 0}, {match: 1, queue: 1}, {match: 0xffff_ffff, queue: 2}), 3, 'one address, three values');
});

test('a doorbell that no write can ring, or that is outside the device, is refused with the reason', (t) => {
	const causes: readonly (readonly [Partial<DoorbellDeclaration>, RegExp])[] = [
		[{region: 4}, /no such region/],
		[{region: -1}, /no such region/],
		[{region: 2}, /config is neither ports nor memory/],
		[{region: 3}, /nobody is told of writes to its region bar2/],
		[{region: 1, size: 1}, /ports yields/],
		[{offset: 0x100}, /registers has 0x100 bytes/],
		[{offset: 0xfe}, /registers has 0x100 bytes/],
		[{offset: -4}, /registers has 0x100 bytes/],
		[{offset: 0.5}, /registers has 0x100 bytes/],
		[{offset: 0x100, size: 'any'}, /registers has 0x100 bytes/],
		[{offset: 2}, /not aligned/],
		[{size: 8 as never}, /no such writes/],
		[{size: 'any', match: 1}, /needs a width/],
		[{size: 1, match: 256}, /no write has that value/],
		[{match: Number.NaN}, /no write has that value/],
		[{stores: {field: 'tails', index: 0}, match: 1}, /says nothing that could be stored/],
		...['none', 'small', 'tail', 'pairs', 'toString'].map(
			(field) => [{stores: {field, index: 0}}, new RegExp(`no array of 32-bit words ${field}`)] as const,
		),
		...[4, -1, 0.5, Number.NaN].map((index) => [{stores: {field: 'tails', index}}, /tails has 4 words/] as const),
	];
	for (const [doorbell, message] of causes)
		t.throws(() => check(doorbell), {code: 'DEVICE_DOORBELL_IMPOSSIBLE', message}, JSON.stringify(doorbell));
	for (const queue of [-1, 1024, 65_536, 1.5])
		t.throws(() => check({queue}), {code: 'DEVICE_QUEUES_IMPOSSIBLE'}, `${queue}`);
});

test('two doorbells for one write are refused, whatever their queues', (t) => {
	const pairs: readonly (readonly [Partial<DoorbellDeclaration>, Partial<DoorbellDeclaration>])[] = [
		[{}, {queue: 1}],
		[{match: 1}, {}],
		[{match: 1}, {match: 1, queue: 1}],
		[{}, {offset: 2, size: 2}],
		[{size: 'any'}, {offset: 2, size: 2, queue: 1}],
		[{size: 'any'}, {match: 3}],
	];
	for (const pair of pairs) {
		t.throws(() => check(...pair), {code: 'DEVICE_DOORBELLS_OVERLAP'}, JSON.stringify(pair));
		t.throws(() => check(...pair.toReversed()), {code: 'DEVICE_DOORBELLS_OVERLAP'}, JSON.stringify(pair));
	}
});
