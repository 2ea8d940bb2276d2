import test from 'ava';
import {bytes, f64, i32, sharedStruct, u8, u16, u32, words} from '#support/shared-memory';
import {restoreStruct, type SavedStruct, saveStruct} from './index.ts';

const Sample = sharedStruct('sample', {a: u8(1), b: u16(), c: u32(), d: i32(), e: f64(), f: bytes(3), g: words(2)});

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
