import test from 'ava';
import {array, bits, bytes, f64, flag, i32, i64, range, reserved, u8, u16, u32, u64, wire} from '#support/wire';
import {restoreStruct, type SavedStruct, saveStruct} from './index.ts';

const Sample = wire('sample', {a: u8.initial(1), b: u16, c: u32, d: i32, e: f64, f: bytes(3), g: array(i32, 2)});

function sample() {
	const view = Sample.on(new SharedArrayBuffer(Sample.byteLength));
	Sample.reset(view);
	return view;
}

function filled() {
	const view = sample();
	Object.assign(view, {a: 255, b: 65535, c: 2 ** 32 - 1, d: -(2 ** 31), e: 2 ** 50 + 0.5});
	view.f.set([1, 2, 3]);
	view.g.set([-1, 7]);
	return view;
}

test('a struct comes back through JSON as it was', (t) => {
	const saved = JSON.parse(JSON.stringify(saveStruct(Sample, filled()))) as SavedStruct;
	const view = sample();
	restoreStruct(Sample, view, saved);
	t.deepEqual(Sample.decode(view), Sample.decode(filled()));
});

const wrong: [string, Record<string, unknown>][] = [
	['a', {a: 256}],
	['a', {a: 1.5}],
	['a', {a: '1'}],
	['b', {b: -1}],
	['c', {c: 2 ** 32}],
	['d', {d: 2 ** 31}],
	['e', {e: Number.NaN}],
	['e', {e: null}],
	['e', {e: 2 ** 54}],
	['f', {f: 'AQI='}],
	['f', {f: [1, 2, 3]}],
	['g', {g: undefined}],
];
for (const [field, change] of wrong) {
	test(`${field} = ${String(Object.values(change)[0])} (${typeof Object.values(change)[0]}) is refused, and nothing is changed`, (t) => {
		const saved = saveStruct(Sample, filled());
		const view = sample();
		const before = Sample.decode(view);
		const damaged = {...saved, fields: {...saved.fields, ...change}} as SavedStruct;
		const error = t.throws(() => restoreStruct(Sample, view, damaged), {code: 'STATE_FIELD_WRONG'});
		t.regex(error.message, new RegExp(`sample.*${field}`));
		t.deepEqual(Sample.decode(view), before);
	});
}

const Nested = wire('nested', {
	wide: u64,
	halves: u64.halves,
	signed: i64,
	gap: reserved(4),
	mode: bits(u8, {on: flag(0), level: range(3, 1)}),
	items: array(wire('item', {count: u16, at: u64}), 2),
});

test('64 bits, structs and lists of structs are saved as such, registers of bits as bytes', (t) => {
	const view = Nested.on(new SharedArrayBuffer(Nested.byteLength));
	view.wide = 2n ** 64n - 1n;
	view.halves.high = 2;
	view.signed = -2n;
	view.mode.level = 5;
	Object.assign(view.items[1] as object, {count: 7, at: 8n});
	const saved = JSON.parse(JSON.stringify(saveStruct(Nested, view))) as SavedStruct;
	t.deepEqual(saved.fields, {
		wide: '0xffffffffffffffff',
		halves: '0x200000000',
		signed: '0xfffffffffffffffe',
		mode: 'Cg==',
		items: [
			{count: 0, at: '0x0'},
			{count: 7, at: '0x8'},
		],
	});
	const other = Nested.on(new SharedArrayBuffer(Nested.byteLength));
	restoreStruct(Nested, other, saved);
	t.deepEqual(other.$bytes, view.$bytes);

	const refuse = (fields: object, field: string, code = 'STATE_FIELD_WRONG') => {
		const damaged = {...saved, fields: {...saved.fields, ...fields}};
		const error = t.throws(() => restoreStruct(Nested, other, damaged), {code});
		t.regex(error.message, new RegExp(`nested.*${field.replaceAll('.', '\\.')}`));
	};
	refuse({wide: 5}, 'wide');
	refuse({halves: '0x10000000000000000'}, 'halves');
	refuse({signed: '-0x1'}, 'signed');
	refuse({items: [{count: 0, at: '0x0'}]}, 'items');
	refuse({items: [{count: 0, at: '0x0'}, []]}, 'items.1');
	refuse(
		{
			items: [
				{count: 0, at: '0x0'},
				{count: 65536, at: '0x0'},
			],
		},
		'items.1.count',
	);
	refuse({items: [{count: 0, at: '0x0', gap: 1}, {}]}, 'items.0.gap', 'STATE_FIELD_UNKNOWN');
	refuse({gap: 'AAAA'}, 'gap', 'STATE_FIELD_UNKNOWN');
	t.deepEqual(other.$bytes, view.$bytes);
});

test('unknown fields, inherited names and what is no object are refused', (t) => {
	const saved = saveStruct(Sample, filled());
	const refuse = (other: unknown, code: string) =>
		t.throws(() => restoreStruct(Sample, sample(), other as SavedStruct), {code});
	refuse({...saved, fields: {...saved.fields, toString: 1}}, 'STATE_FIELD_UNKNOWN');
	refuse({...saved, fields: {}}, 'STATE_FIELD_WRONG');
	refuse({...saved, fields: null}, 'STATE_FIELD_WRONG');
	refuse(null, 'STATE_FIELD_WRONG');
});

test('older versions are upgraded, newer and impossible ones refused', (t) => {
	const {a: _, ...older} = saveStruct(Sample, filled()).fields;
	const versions = {version: 2, upgrade: (fields: object, from: number) => ({...fields, a: from})};
	const view = sample();
	restoreStruct(Sample, view, {version: 1, fields: older}, versions);
	t.is(view.a, 1);
	for (const version of [0, 1.5, 3, '1', undefined]) {
		const saved = {version, fields: older} as SavedStruct;
		t.throws(() => restoreStruct(Sample, view, saved, versions), {code: 'STATE_VERSION_UNKNOWN'});
	}
	t.throws(() => restoreStruct(Sample, view, {version: 1, fields: older}, {version: 2}), {
		code: 'STATE_VERSION_UNKNOWN',
	});
});

test('a struct that several begin with is parsed once, and anew for another declaration', (t) => {
	const {version, fields} = saveStruct(Sample, sample());
	let reads = 0;
	const ownKeys = (target: object) => {
		reads++;
		return Reflect.ownKeys(target);
	};
	const saved: SavedStruct = {version, fields: new Proxy<SavedStruct['fields']>(fields, {ownKeys})};
	const [one, other] = [sample(), sample()];
	restoreStruct(Sample, one, saved);
	const before = reads;
	t.true(before > 0);
	restoreStruct(Sample, other, saved);
	t.is(reads, before);
	t.deepEqual(other.$bytes, one.$bytes);
	t.throws(
		() => restoreStruct(wire('other', {only: u8}), wire('other', {only: u8}).on(new SharedArrayBuffer(64)), saved),
		{
			code: 'STATE_FIELD_UNKNOWN',
		},
	);
});
