import {readFileSync} from 'node:fs';
import test from 'ava';
import {restoreStruct, type SavedStruct} from '#support/saved-state';
import {HpetState} from './state.ts';
import {hpetVersions} from './versions.ts';

const golden = new URL('../../testing/golden/hpet.json', import.meta.url);
const {1: written} = JSON.parse(readFileSync(golden, 'utf8')) as {1: SavedStruct};

function restore(changes: object) {
	const view = HpetState.on(new SharedArrayBuffer(HpetState.byteLength));
	restoreStruct(HpetState, view, {...written, fields: {...written.fields, ...changes}}, hpetVersions);
	return HpetState.decode(view);
}

test('what version 1 said of each timer is found in it', (t) => {
	const {counter, general, timers} = restore({
		general: 3,
		counterLow: 2,
		counterHigh: 1,
		comparatorLow1: 0xffff_fffe,
		comparatorHigh1: 7,
		periodLow2: 5,
		ticks2: 9,
	});
	t.deepEqual([general, counter], [3, 0x1_0000_0002n]);
	t.is(timers[1]?.comparator, 0x7_ffff_fffen);
	t.deepEqual([timers[2]?.period, timers[2]?.ticks], [5n, 9]);
	t.is(timers[0]?.comparator, 2n ** 64n - 1n);
});

test('halves that are none, and names that version 1 had not, are refused', (t) => {
	for (const low of [-1, 2 ** 32, 1.5, '1', null])
		t.throws(() => restore({counterLow: low}), {code: 'STATE_FIELD_WRONG', message: /counter/});
	for (const stray of ['owed3', 'counter', 'timers'])
		t.throws(() => restore({[stray]: 0}), {code: 'STATE_FIELD_UNKNOWN', message: new RegExp(stray)});
});
