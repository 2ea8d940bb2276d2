import {globSync, readFileSync} from 'node:fs';
import test from 'ava';
import {untilAborted} from '#support/abort';
import {withProgress} from './given-up.ts';

test('work that a signal gives up ends with it, and its progress is told', async (t) => {
	const told: [number, number][] = [];
	const working = withProgress(
		'works',
		async ({signal, progress}) => {
			progress?.(1, 4);
			await untilAborted(new Promise(() => {}), signal ?? undefined);
		},
		(done, total) => void told.push([done, total]),
	);
	process.emit('SIGHUP', 'SIGHUP');
	await t.throwsAsync(working, {message: 'SIGHUP'});
	t.deepEqual(told, [[1, 4]]);
});

const sources = globSync('src/main/**/*.ts').filter((path) => !/\.test\.ts$|\/testing\//.test(path));
const textOf = (path: string) => readFileSync(path, 'utf8');

/** Functions that take what all long operations do: they tell how far they are, and may be given up. */
const long = /^export (?:async function|function|const) (\w+)[^;]{0,300}?\b(?:Long|Open|Image)Operation = \{\}/gm;

test('no command calls what takes long without telling a person how far it is, and letting go at a signal', (t) => {
	const names = sources.flatMap((path) => [...textOf(path).matchAll(long)].map(([, name]) => name as string));
	for (const known of ['verifySnapshot', 'removeImage', 'pruneImages', 'pullImage', 'convertDisk', 'buildDebianImage'])
		t.true(names.includes(known), known);
	const call = new RegExp(`\\b(?:${[...new Set(names)].join('|')})\\(((?:[^()]|\\([^()]*\\))*)\\)`, 'g');
	const calls = sources
		.filter((path) => path.startsWith('src/main/cli/'))
		.flatMap((path) => [...textOf(path).matchAll(call)].map(([text, words = '']) => ({path, text, words})));
	t.true(calls.length >= 6);
	for (const {path, text, words} of calls) t.regex(words, /\b(?:asked|operation|progress)\b/, `${path}: ${text}`);
});
