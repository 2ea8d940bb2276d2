import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {linuxTest} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';

const run = promisify(execFile);
const {kernel, initrd} = stockFiles('cloud');

/** Runs an example as its reader does, by the package as it is built, with a kernel of the tests; returns what it says. */
async function example(t: ExecutionContext, name: string, ...words: readonly string[]): Promise<string> {
	t.timeout(600_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-example-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const env = {...process.env, XDG_CACHE_HOME: folder, OPENVMM_TEST_DUMPS: folder};
	const {stdout} = await run(process.execPath, [join('guide/examples', name), ...words], {env});
	return stdout;
}

linuxTest('guide/examples/run-commands.ts runs commands', async (t) => {
	t.deepEqual((await example(t, 'run-commands.ts', kernel, initrd)).split('\n'), [
		'sorted: 1 2 3 ',
		'status: 1',
		'got one',
		'got three',
		'counter: 0',
		'',
	]);
});

linuxTest('guide/examples/fork.ts has three machines go on from one', async (t) => {
	t.deepEqual((await example(t, 'fork.ts', kernel, initrd)).split('\n'), [
		'ready: base',
		'ready-1: base, try 0',
		'ready-2: base, try 1',
		'ready-3: base, try 2',
		'',
	]);
});

linuxTest('guide/examples/kernel-test.ts tests a kernel', async (t) => {
	const said = await example(t, 'kernel-test.ts');
	t.regex(said, /^# pass 2$|^ℹ pass 2$/m, said);
	t.regex(said, /^# fail 0$|^ℹ fail 0$/m, said);
});
