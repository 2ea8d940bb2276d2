import {readFileSync} from 'node:fs';
import test from 'ava';
import {restoreStruct, type SavedStruct} from '#support/saved-state';
import {Pic8259State, pic8259Versions} from './state.ts';

const golden = new URL('../../testing/golden/pic-8259.json', import.meta.url);
const {1: written} = JSON.parse(readFileSync(golden, 'utf8')) as {1: SavedStruct};

function restore(changes: object) {
	const view = Pic8259State.on(new SharedArrayBuffer(Pic8259State.byteLength));
	restoreStruct(Pic8259State, view, {...written, fields: {...written.fields, ...changes}}, pic8259Versions);
	return Pic8259State.decode(view);
}

const pair = (master: number, slave: number) => Buffer.of(master, slave).toString('base64');

test('of each pair of version 1 the master has the first byte and the slave the second', (t) => {
	const names = Object.keys(written.fields);
	const pairs = names.map((name, index) => [name, pair(index + 1, 0x80 + index)] as const);
	const {master, slave} = restore(Object.fromEntries(pairs));
	t.deepEqual(master, Object.fromEntries(names.map((name, index) => [name, index + 1])) as typeof master);
	t.deepEqual(slave, Object.fromEntries(names.map((name, index) => [name, 0x80 + index])) as typeof slave);
});

test('pairs that are none, and names that version 1 had not, are refused', (t) => {
	for (const irr of [Buffer.alloc(1).toString('base64'), Buffer.alloc(8).toString('base64'), 0, ''])
		t.throws(() => restore({irr}), {code: 'STATE_FIELD_WRONG', message: /irr/});
	for (const name of ['master', 'slave', 'other']) t.throws(() => restore({[name]: {}}), {code: 'STATE_FIELD_UNKNOWN'});
});
