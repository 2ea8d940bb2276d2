import test from 'ava';
import {inspectTree, object, toJson} from '#support/inspect';
import {array, bits, bytes, f64, flag, text, u8, u64, union, viewOf, wire} from '#support/wire';
import {stateNodes} from './state-nodes.ts';

const Item = wire('item', {secret: u8.sensitive(), open: u8});
const Mode = bits(u8, {on: flag(0)});
const State = wire('state', {
	number: u8.sensitive(),
	wide: u64.halves.sensitive(),
	double: f64.sensitive(),
	bytes: bytes(2).sensitive(),
	text: text(4).sensitive(),
	bits: Mode.sensitive(),
	struct: Item.sensitive(),
	list: array(Item, 2).sensitive(),
	tag: u8,
	union: union('tag', {item: [0, Item]}).sensitive(),
	openText: text(4),
	openBits: Mode,
	openList: array(Item, 1),
	openTag: u8,
	openUnion: union('openTag', {item: [1, Item]}),
	otherTag: u8,
	otherUnion: union('otherTag', {item: [1, Item]}),
});
const values = {
	text: 'abc',
	openText: 'def',
	openTag: 1,
	openUnion: {kind: 'item', value: {secret: 5, open: 6}},
} as const;
const source = viewOf(State.encode(values));
const inspect = async (safe: boolean) =>
	toJson(
		await inspectTree(
			object(() => stateNodes(State, source, 0)),
			'',
			{depth: 5, timeoutMs: 50, safe},
		),
	);

const shown = {
	tag: 0,
	openText: 'def',
	openBits: {on: false},
	openTag: 1,
	otherTag: 0,
	otherUnion: {unknown: '00 00'},
};

test('every kind of field keeps its mark as sensitive, in structs, lists and unions too', async (t) => {
	const item = {secret: {$sensitive: 0}, open: 0};
	t.deepEqual(await inspect(false), {
		...shown,
		number: {$sensitive: 0},
		wide: {$sensitive: '0x0'},
		double: {$sensitive: 0},
		bytes: {$sensitive: '00 00'},
		text: {$sensitive: 'abc'},
		bits: {$sensitive: true, on: false},
		struct: {$sensitive: true, ...item},
		list: {$sensitive: true, 0: item, 1: item},
		union: {$sensitive: true, item},
		openList: {0: item},
		openUnion: {item: {secret: {$sensitive: 5}, open: 6}},
	});
});

test('what is left out for strangers is all of what is marked', async (t) => {
	const hidden = {$unresolved: 'sensitive'};
	t.deepEqual(await inspect(true), {
		...shown,
		number: hidden,
		wide: hidden,
		double: hidden,
		bytes: hidden,
		text: hidden,
		bits: hidden,
		struct: hidden,
		list: hidden,
		union: hidden,
		openList: {0: {secret: hidden, open: 0}},
		openUnion: {item: {secret: hidden, open: 6}},
	});
});
