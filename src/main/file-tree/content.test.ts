import {mkdtemp, readdir, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {bytesContent, type Content, Spool} from './content.ts';

async function spoolOf(t: ExecutionContext, limit: number) {
	const folder = await mkdtemp(join(tmpdir(), 'spool-'));
	t.teardown(() => rm(folder, {recursive: true}));
	return {folder, spool: await Spool.open(folder, limit)};
}

async function textOf(content: Content): Promise<string> {
	let text = '';
	for await (const piece of content.pieces()) text += Buffer.from(piece).toString('latin1');
	return text;
}

test('a spool keeps what it gets, in any number of pieces, and leaves nothing behind', async (t) => {
	const {folder, spool} = await spoolOf(t, 2 ** 24);
	await using _ = spool;
	const [small, large] = ['small', 'large'.repeat(700_000)];
	const first = await spool.add(bytesContent(small).pieces());
	t.is(await textOf(first), small);
	const second = await spool.add(bytesContent(large).pieces());
	const third = await spool.add(bytesContent('').pieces());
	t.is(await textOf(first), small);
	t.true((await textOf(second)) === large);
	t.deepEqual([first.length, second.length, third.length], [small.length, large.length, 0]);
	t.deepEqual(await readdir(folder), []);
});

test('a spool takes no more than its limit', async (t) => {
	const {spool} = await spoolOf(t, 10);
	await using _ = spool;
	await spool.add(bytesContent('123456').pieces());
	await t.throwsAsync(spool.add(bytesContent('78901').pieces()), {code: 'TREE_TOO_LARGE'});
});
