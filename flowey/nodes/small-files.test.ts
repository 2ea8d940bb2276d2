import test from 'ava';
import {runNode} from '../core/index.ts';
import {checkSmallFiles} from './small-files.ts';
import {workingCopy} from './testing/working-copy.ts';

const filler = (lines: number) => Array.from({length: lines}, (_, line) => `const line${line} = 0`);

test('a file of less than 25 lines that one other imports is refused, whoever imports that one', async (t) => {
	const root = workingCopy(t, {
		'src/a.ts': ["import {b} from './b.ts'", "import {c} from './c.ts'", "import type {B} from './b.ts'"],
		'src/b.ts': filler(24),
		'src/c.ts': ["import {d} from './d.ts'", ...filler(30)],
		'src/d.ts': [],
		'src/e.ts': ["import {a} from './a.ts'", "import {c} from './c.ts'"],
	});
	const {message} = await t.throwsAsync(runNode(checkSmallFiles, root));
	t.deepEqual(message.match(/src\/\w\.ts \(\d+ lines\)/g)?.toSorted(), [
		'src/a.ts (3 lines)',
		'src/b.ts (24 lines)',
		'src/d.ts (1 lines)',
	]);
});

test('a file of 25 lines, one that its test or another reads too, and what an index lists stay', async (t) => {
	const root = workingCopy(t, {
		'src/main/vm/a.ts': ["import {b} from './b.ts'", "import {c} from './c.ts'", "import {d} from '#main/d'"],
		'src/main/vm/b.ts': filler(25),
		'src/main/vm/c.ts': [],
		'src/main/vm/c.test.ts': ["import {c} from './c.ts'"],
		'src/main/d/index.ts': ["export {d} from './d.ts'"],
		'src/main/d/d.ts': [],
	});
	await t.notThrowsAsync(runNode(checkSmallFiles, root));
});
