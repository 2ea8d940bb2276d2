import {readFileSync} from 'node:fs';
import test from 'ava';
import {restoreStruct, type SavedStruct} from '#support/saved-state';
import {Pit8254State, pit8254Versions} from './state.ts';

const golden = new URL('../../testing/golden/pit-8254.json', import.meta.url);
const {1: written} = JSON.parse(readFileSync(golden, 'utf8')) as {1: SavedStruct};

function restore(changes: object) {
	const view = Pit8254State.on(new SharedArrayBuffer(Pit8254State.byteLength));
	restoreStruct(Pit8254State, view, {...written, fields: {...written.fields, ...changes}}, pit8254Versions);
	return Pit8254State.decode(view);
}

const base64 = (array: Uint8Array | Int32Array) => Buffer.from(array.buffer).toString('base64');

test('each counter has of every array of version 1 what was at its place', (t) => {
	const origins = {origin0: 1.5, origin1: 2 ** 40, origin2: -3};
	const others = {nmiControl: 3, ticksOwed: 4, ticks: 5, ticksDropped: 6, lastTick: 7};
	const names = Object.keys(written.fields).filter((name) => !(name in origins || name in others));
	const words = ['count', 'reload', 'countLatch'];
	const at = (name: string, counter: number) =>
		(words.includes(name) ? 0x1000 : 0x10) * (counter + 1) + names.indexOf(name);
	const arrays = names.map((name) => {
		const values = [at(name, 0), at(name, 1), at(name, 2)];
		return [name, base64(words.includes(name) ? Int32Array.from(values) : Uint8Array.from(values))] as const;
	});
	const {counters, ...rest} = restore({...Object.fromEntries(arrays), ...origins, ...others});
	t.deepEqual(rest, others);
	for (const [index, {origin, ...counter}] of counters.entries()) {
		t.is(origin, Object.values(origins)[index] as number);
		t.deepEqual(counter, Object.fromEntries(names.map((name) => [name, at(name, index)])) as typeof counter);
	}
});

test('arrays of another width, counts that today’s counter cannot hold, and names that version 1 had not, are refused', (t) => {
	const refused = {
		count: new Uint8Array(3),
		control: new Int32Array(3),
		countLatch: Int32Array.of(0, 0x1_0000, 0),
		reload: new Int32Array(2),
	};
	for (const [name, array] of Object.entries(refused))
		t.throws(() => restore({[name]: base64(array)}), {code: 'STATE_FIELD_WRONG', message: new RegExp(name)});
	t.throws(() => restore({origin1: '0'}), {code: 'STATE_FIELD_WRONG', message: /origin1/});
	for (const name of ['counters', 'origin3']) t.throws(() => restore({[name]: []}), {code: 'STATE_FIELD_UNKNOWN'});
});
