import {type SpawnSyncReturns, spawnSync} from 'node:child_process';
import {existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {build} from './build.ts';

const context = {log: () => undefined, skip: () => undefined};

function temporaryFolder(t: {teardown(action: () => void): void}): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-build-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

test('each entry point becomes a module, and files of earlier builds go away', async (t) => {
	const folder = temporaryFolder(t);
	const output = join(folder, 'out');
	mkdirSync(output);
	writeFileSync(join(output, 'chunk-OLD.js'), '');
	writeFileSync(
		join(folder, 'main.ts'),
		'declare const __OPENVMM_BUNDLED__: boolean;\nconsole.log(__OPENVMM_BUNDLED__);\n',
	);

	await build.run(context, {entryPoints: [{name: 'program', source: join(folder, 'main.ts')}], folder: output});

	t.regex(readFileSync(join(output, 'program.js'), 'utf8'), /console\.log\((true|!0)\)/);
	t.false(existsSync(join(output, 'chunk-OLD.js')));
});

/** Builds a program that says a word, and keeps its code. @returns runs it, after what a shell does */
async function builtProgram(folder: string, word: string): Promise<(prepare?: string) => SpawnSyncReturns<string>> {
	const source = `
import {basename} from 'node:path';
import {setFlagsFromString} from 'node:v8';
import {later} from './later.ts';
declare const __OPENVMM_LOADER__: {keepCode(): void; importModule(url: string): Promise<{word: string}>};
export async function program() {
	const {word} = await __OPENVMM_LOADER__.importModule(new URL('../outside.mjs', import.meta.url).href);
	console.log([await later(), word, basename(import.meta.dirname), 'ä'].join(' '));
	// As the software processor does.
	setFlagsFromString('--no-wasm-code-gc');
	__OPENVMM_LOADER__.keepCode();
}
`;
	writeFileSync(join(folder, 'main.ts'), source);
	writeFileSync(join(folder, 'later.ts'), "export const later = async () => (await import('./word.ts')).word;\n");
	writeFileSync(join(folder, 'word.ts'), `export const word = '${word}';\n`);
	writeFileSync(join(folder, 'outside.mjs'), "export const word = await 'outside';\n");
	writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
	const output = join(folder, 'out');
	const entryPoint = {name: 'program', source: join(folder, 'main.ts'), exports: ['program']};
	await build.run(context, {entryPoints: [entryPoint], folder: output});
	const start = `import {program} from ${JSON.stringify(join(output, 'program.js'))}; await program();`;
	const env = {...process.env, NODE_COMPILE_CACHE: join(folder, 'cache')};
	const words = [process.execPath, '--input-type=module', '--eval', start];
	return (prepare = '') => spawnSync('sh', ['-c', `${prepare}exec "$0" "$@"`, ...words], {encoding: 'utf8', env});
}

const keptFiles = (folder: string) => globSync(join(folder, 'cache/*/*.v8'));

test('a program is one file, keeps its code for later starts, and imports what is not of it', async (t) => {
	const folder = temporaryFolder(t);
	const run = await builtProgram(folder, 'last');
	const {stdout, stderr} = run();
	t.is(stdout, 'last outside out ä\n', stderr);
	const [kept = '', ...others] = keptFiles(folder);
	t.deepEqual(others, []);
	const {mtimeNs} = statSync(kept, {bigint: true});
	t.like(run(), {stdout, stderr: ''});
	t.deepEqual(keptFiles(folder), [kept]);
	t.is(statSync(kept, {bigint: true}).mtimeNs, mtimeNs, 'what is good is not made anew');
});

test('kept code that V8 refuses is made anew, and that of another text as long is not taken', async (t) => {
	const folder = temporaryFolder(t);
	const run = await builtProgram(folder, 'last');
	run();
	const [kept = ''] = keptFiles(folder);
	const good = readFileSync(kept);
	// V8 itself would run what is wrong behind its header.
	const damaged = Buffer.from(good).fill(0xff, good.length >> 1, (good.length >> 1) + 64);
	for (const bad of [Buffer.alloc(0), Buffer.alloc(100), good.subarray(0, good.length >> 1), damaged]) {
		writeFileSync(kept, bad);
		t.like(run(), {stdout: 'last outside out ä\n', stderr: ''});
		t.is(readFileSync(kept).length, good.length);
	}
	const other = await builtProgram(folder, 'lost');
	t.like(other(), {stdout: 'lost outside out ä\n', stderr: ''});
	t.is(keptFiles(folder).length, 2);
});

test('code that a disk has no room for leaves nothing behind', async (t) => {
	const folder = temporaryFolder(t);
	const run = await builtProgram(folder, 'last');
	t.like(run('ulimit -f 1; '), {stdout: 'last outside out ä\n', stderr: ''});
	t.deepEqual(globSync(join(folder, 'cache/*/*.v8*')), []);
	run();
	t.is(keptFiles(folder).length, 1);
});

test('a missing source is named', async (t) => {
	const folder = temporaryFolder(t);

	await t.throwsAsync(build.run(context, {entryPoints: [{name: 'program', source: join(folder, 'none.ts')}], folder}), {
		message: /none\.ts \(for program\.js\)/,
	});
});
