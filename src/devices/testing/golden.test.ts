// Every version of every device's saved state that a released program wrote stays restorable, or says why not.
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import test from 'ava';
import {deviceRegistry} from '#devices/registry';
import {restoreStruct, type SavedStruct, saveStruct} from '#support/saved-state';
import type {Wire} from '#support/wire';

/** A kind's saved states, by version. Long runs of zeros are written as their length. */
type Golden = Readonly<Record<string, SavedStruct>>;

const file = (kind: string) => new URL(`golden/${kind}.json`, import.meta.url);
const read = (kind: string): Golden =>
	existsSync(file(kind)) ? (JSON.parse(readFileSync(file(kind), 'utf8'), expand) as Golden) : {};

const zerosWord = /^(\d+) zeros$/;
const expand = (_: string, value: unknown) => {
	const [, length] = (typeof value === 'string' && zerosWord.exec(value)) || [];
	return length === undefined ? value : Buffer.alloc(Number(length)).toString('base64');
};
const shorten = (_: string, value: unknown) => {
	if (typeof value !== 'string' || value.length < 100) return value;
	const bytes = Buffer.from(value, 'base64');
	return bytes.every((byte) => byte === 0) ? `${bytes.length} zeros` : value;
};

const fresh = (schema: Wire<Record<string, never>>) => {
	const view = schema.on(new SharedArrayBuffer(schema.byteLength));
	schema.reset(view);
	return view;
};

/** Adds what a new version writes to the committed files; those of older versions are never changed. */
const isUpdating = process.env['UPDATE_GOLDEN'] === '1';

for (const {kind, state, versions} of deviceRegistry.types) {
	const version = versions?.version ?? 1;
	if (isUpdating && read(kind)[version] === undefined) {
		const saved = saveStruct(state, fresh(state), versions);
		writeFileSync(file(kind), `${JSON.stringify({...read(kind), [version]: saved}, shorten, '\t')}\n`);
	}

	test(`${kind}: what version ${version} writes is committed (UPDATE_GOLDEN=1 adds a new version)`, (t) => {
		t.deepEqual(
			Object.keys(read(kind)).map(Number),
			Array.from({length: version}, (_, index) => index + 1),
		);
	});

	test(`${kind}: every version that was ever written restores, and is then what today’s version writes`, (t) => {
		const golden = read(kind);
		for (const saved of Object.values(golden)) {
			const view = fresh(state);
			restoreStruct(state, view, saved, versions);
			const again = saveStruct(state, view, versions);
			t.deepEqual(
				again,
				golden[version],
				`of version ${saved.version}; a field that has changed counts up the version`,
			);
		}
	});

	test(`${kind}: a name that a version had not is refused in it`, (t) => {
		for (const saved of Object.values(read(kind)))
			for (const name of ['stray', ...state.places.keys()].filter((each) => !Object.hasOwn(saved.fields, each))) {
				const damaged = {...saved, fields: {...saved.fields, [name]: 0}};
				const error = {code: 'STATE_FIELD_UNKNOWN', message: new RegExp(name)};
				t.throws(() => restoreStruct(state, fresh(state), damaged, versions), error);
			}
	});

	test(`${kind}: a version that is not known is refused by its number`, (t) => {
		const [saved] = Object.values(read(kind));
		const newer = {...(saved as SavedStruct), version: version + 1};
		const error = {code: 'STATE_VERSION_UNKNOWN', message: new RegExp(`version ${version + 1}`)};
		t.throws(() => restoreStruct(state, fresh(state), newer, versions), error);
	});
}
