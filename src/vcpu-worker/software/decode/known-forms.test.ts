import {readFileSync} from 'node:fs';
import test from 'ava';
import {PrefixTable} from '#vcpu-worker/software/shared';
import {BlockDecoder} from './block.ts';
import {Feature} from './features.ts';
import {keyOf, listForms, makeForms} from './known-forms.ts';

const pathsOf = (table: PrefixTable): string[] => [...table.paths()].map((path) => path.join(' '));

test('a table is made of the list of another one, for the same features', (t) => {
	const table = new PrefixTable(PrefixTable.allocate());
	const decoder = new BlockDecoder((feature) => feature !== Feature.bmi1, [table]);
	const code = Uint8Array.of(0x90, 0x05, 1, 2, 3, 4, 0x0f, 0x05);
	const tzcnt = Uint8Array.of(0xf3, 0x0f, 0xbc, 0xc1, 0x48, 0x8b, 0x44, 0x24, 8, 0xcc);
	for (const bytes of [code, tzcnt]) decoder.decode(bytes, 0);
	decoder.decode(code, 0, {codeSize: 16});
	const list = listForms(table);
	const made = makeForms(list);
	t.true(pathsOf(table).length > 6);
	t.deepEqual(pathsOf(made), pathsOf(table));
	t.deepEqual(listForms(made), list);
	t.regex(keyOf(list), /^1*01*$/);
	t.false(made.isFor(keyOf(list).replaceAll('0', '1')));
	const loaded = new PrefixTable(PrefixTable.allocate());
	let image = made.image();
	loaded.load((target) => {
		target.set(image.subarray(0, target.length));
		image = image.subarray(target.length);
	});
	t.is(image.length, 0);
	t.deepEqual(listForms(loaded), list);
	t.deepEqual([...loaded.wordsOf(3)], [...made.wordsOf(3)]);
});

test('the list of builds is for features that there are, and all of its bytes are forms', (t) => {
	const list = readFileSync(new URL('known-forms.bin', import.meta.url));
	t.is(keyOf(list).length, Object.keys(Feature).length, 'npm run flowey -- known-forms makes it anew');
	const made = listForms(makeForms(list));
	t.is(Buffer.compare(made, list), 0);
	t.true(made.length > 10_000);
});
