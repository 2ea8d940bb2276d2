import {execFile} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
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

linuxTest('guide/examples/fork.ts has three machines go on from one, and one from what is saved', async (t) => {
	t.deepEqual((await example(t, 'fork.ts', kernel, initrd)).split('\n'), [
		'ready: base',
		'ready-1: base, try 0',
		'ready-2: base, try 1',
		'ready-3: base, try 2',
		'later: base',
		'',
	]);
});

linuxTest('guide/examples/reach-guest.ts reaches a guest, and answers it', async (t) => {
	t.deepEqual((await example(t, 'reach-guest.ts', kernel, initrd)).split('\n'), [
		'forward: a page',
		'connect: 93.184.216.34 is the program',
		'refused: true',
		'pause: paused',
		'resume: running',
		'',
	]);
});

linuxTest('guide/examples/kernel-test.ts tests a kernel', async (t) => {
	const said = await example(t, 'kernel-test.ts');
	t.regex(said, /^# pass 2$|^ℹ pass 2$/m, said);
	t.regex(said, /^# fail 0$|^ℹ fail 0$/m, said);
});

/** A test that fails, by a runner's own words. */
const failing = (runner: string) => `import test from '${runner}';
import {testVm} from 'openvmm/testing';

test('it greets', async (t) => {
	const boot = {kind: 'embedded', commandLine: ['hang=hlt']};
	const vm = await testVm(t, {boot, memory: '64M', network: false, limit: 500_000});
	await vm.console.find('Hanging until stopped', {timeout: 400_000});
	throw new Error('not what was wanted');
});
`;

linuxTest('a test that fails by a real runner of tests says where its machine was', async (t) => {
	t.timeout(600_000);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-runners-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	mkdirSync(join(folder, 'node_modules'));
	symlinkSync(process.cwd(), join(folder, 'node_modules/openvmm'));
	symlinkSync(join(process.cwd(), 'node_modules/ava'), join(folder, 'node_modules/ava'));
	writeFileSync(join(folder, 'package.json'), JSON.stringify({name: 'runners', type: 'module'}));
	const runners = {
		ava: ['node_modules/ava/entrypoints/cli.js', '--timeout', '10m', 'ava.test.js'],
		'node:test': ['--test', 'node.test.js'],
	};
	for (const [runner, words] of Object.entries(runners)) {
		const dumps = join(folder, runner.replace(':', '-'));
		writeFileSync(join(folder, words.at(-1) as string), failing(runner));
		const env = {...process.env, XDG_CACHE_HOME: folder, OPENVMM_TEST_DUMPS: dumps};
		const options = {cwd: folder, env: {...env, NODE_TEST_CONTEXT: undefined}};
		const {stdout, stderr} = (await t.throwsAsync<Error & {stdout: string; stderr: string}>(
			run(process.execPath, words, options),
			{code: 1},
		)) ?? {stdout: '', stderr: ''};
		const [, kept] = /What the machine was at is in (\S+)/.exec(stdout) ?? [];
		t.true(kept?.startsWith(join(dumps, 'openvmm-')), stdout + stderr);
		t.regex(readFileSync(join(kept ?? '', 'console.txt'), 'utf8'), /Hanging until stopped/);
		t.regex(readFileSync(join(kept ?? '', 'inspect.txt'), 'utf8'), /vcpus/);
		if (runner !== 'ava') t.regex(readFileSync(join(kept ?? '', 'error.txt'), 'utf8'), /not what was wanted/);
	}
});
