import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {TranslationStore} from '#vcpu-worker/software/translation-store';
import {Computing} from './job-pool.ts';

/** What threads do their jobs with whose code is this, and what has been told of them. */
function computing(t: ExecutionContext, code: string) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-jobs-'));
	// A thread without a job keeps no process.
	const alive = setInterval(() => {}, 1000);
	t.teardown(() => {
		clearInterval(alive);
		rmSync(folder, {recursive: true});
	});
	const filename = join(folder, 'jobs.mjs');
	writeFileSync(filename, code);
	const warnings: string[] = [];
	const {compute} = new Computing(filename, (message) => warnings.push(message));
	return {compute, warnings};
}

const mortal = "export const makeTranslations = (job) => (job === 'well' ? job : process.exit(3))";

test('a thread that dies of a job fails that job, which is told once, and the next has another thread', async (t) => {
	const {compute, warnings} = computing(t, mortal);
	for (let time = 0; time < 2; time++) {
		await t.throwsAsync(compute('makeTranslations', 'ill'), {message: /exited with code: 3/});
		t.is(await compute('makeTranslations', 'well'), 'well');
	}
	t.is(warnings.length, 1);
	t.regex(
		warnings[0] as string,
		/^A job of the processors \(makeTranslations\) has failed, and they go on without: .*code: 3/,
	);
});

test('jobs of a thread that cannot load its code fail, which is told once and ends no process', async (t) => {
	const {compute, warnings} = computing(t, "throw new Error('spoilt')");
	for (let time = 0; time < 3; time++) await t.throwsAsync(compute('makeTranslations', 'well'));
	t.is(warnings.length, 2);
	t.is(warnings[0], 'A thread for jobs has died: Error: spoilt');
	t.regex(warnings[1] as string, /^A job of the processors/);
});

test('processors whose translations a thread has died of are refused them, and ask again', async (t) => {
	const {compute} = computing(t, mortal);
	const store = new TranslationStore((requests) => compute('makeTranslations', requests) as never);
	const none = new Uint16Array();
	const pages = [{distance: 0, bytes: new Uint8Array(4096), known: none, warm: none}] as const;
	const common = {offset: 0, pages, codeSize: 64, features: ''} as const;
	for (let id = 1; id <= 2; id++) {
		const answered = Promise.withResolvers<object>();
		store.enter().join(answered.resolve)({...common, id, mayMake: true});
		t.deepEqual(await answered.promise, {kind: 'refused', id});
	}
});
