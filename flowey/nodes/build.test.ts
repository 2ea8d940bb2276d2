import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
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

test('what two programs of a thread have in common is loaded once, and what a worker has is in its own file', async (t) => {
	const folder = temporaryFolder(t);
	const output = join(folder, 'out');
	mkdirSync(output);
	writeFileSync(join(folder, 'counter.ts'), 'export const counter = {count: 0};\n');
	const source = "import {counter} from './counter.ts';\nexport const next = () => ++counter.count;\n";
	const entryPoints = ['one', 'other', 'worker'].map((name) => ({
		...{name, source: join(folder, `${name}.ts`)},
		...(name !== 'worker' && {shares: true as const}),
	}));
	for (const entryPoint of entryPoints) writeFileSync(entryPoint.source, source);

	await build.run(context, {entryPoints, folder: output});

	const counts: number[] = [];
	for (const {name} of entryPoints) {
		const program: {next(): number} = await import(pathToFileURL(join(output, `${name}.js`)).href);
		counts.push(program.next());
	}
	t.deepEqual(counts, [1, 2, 1]);
	t.notRegex(readFileSync(join(output, 'worker.js'), 'utf8'), /from ?"\./);
});

test('a missing source is named', async (t) => {
	const folder = temporaryFolder(t);

	await t.throwsAsync(build.run(context, {entryPoints: [{name: 'program', source: join(folder, 'none.ts')}], folder}), {
		message: /none\.ts \(for program\.js\)/,
	});
});
