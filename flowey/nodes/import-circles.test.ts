import test from 'ava';
import {runNode} from '../core/index.ts';
import {checkImportCircles} from './import-circles.ts';
import {workingCopy} from './testing/working-copy.ts';

const refused: Readonly<Record<string, [files: Readonly<Record<string, readonly string[]>>, message: RegExp]>> = {
	'two files that know each other, if only by a type': [
		{'src/a.ts': ["import {b} from './b.ts'"], 'src/b.ts': ["import type {A} from './a.ts'"]},
		/src\/a\.ts imports src\/b\.ts\n {2}src\/b\.ts imports src\/a\.ts/,
	],
	'two folders through their indexes, one of them only when asked': [
		{
			'src/main/vm/index.ts': ["export {create} from './create.ts'"],
			'src/main/vm/create.ts': ["const {serve} = await import('#main/debugger')"],
			'src/main/debugger/index.ts': ["import type {Vm} from '#main/vm'"],
		},
		/create\.ts imports src\/main\/debugger\/index\.ts/,
	],
	'two folders whose files know each other in no circle': [
		{
			'src/one/a.ts': ["import {b} from '../two/b.ts'"],
			'src/one/c.ts': [],
			'src/two/b.ts': [],
			'src/two/d.ts': ["import {c} from '../one/c.ts'"],
		},
		/src\/one\/a\.ts imports src\/two\/b\.ts\n {2}src\/two\/d\.ts imports src\/one\/c\.ts/,
	],
	'a folder that uses the index it is listed in': [
		{'src/x/index.ts': ["export {y} from './y/y.ts'"], 'src/x/y/y.ts': ["import {z} from '../index.ts'"]},
		/y\.ts imports src\/x\/index\.ts/,
	],
	'two tests': [
		{'src/a.test.ts': ["import './testing/b.ts'"], 'src/testing/b.ts': ["import {a} from '../a.test.ts'"]},
		/a\.test\.ts imports/,
	],
};
for (const [what, [files, message]] of Object.entries(refused)) {
	test(`refused: ${what}`, async (t) => {
		await t.throwsAsync(runNode(checkImportCircles, workingCopy(t, files)), {message});
	});
}

test('a folder may use a file beside it, a test what its subject must not, and a subfolder its parent`s files', async (t) => {
	const root = workingCopy(t, {
		'src/main/vm/index.ts': ["export {Vm} from './vm.ts'"],
		'src/main/vm/vm.ts': ["import {unit} from './units/index.ts'"],
		'src/main/vm/units/index.ts': ["import type {Thread} from '../thread.ts'"],
		'src/main/vm/thread.ts': ["import {readFileSync} from 'node:fs'", "import {gone} from './gone.ts'"],
		'src/main/vm/vm.test.ts': ["import {serve} from '#main/debugger'"],
		'src/main/debugger/index.ts': ["import type {Vm} from '#main/vm'"],
	});
	await t.notThrowsAsync(runNode(checkImportCircles, root));
});
