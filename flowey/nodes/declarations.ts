/**
 * Writes the type declarations that the package ships: one file for each entry point, and others for what they share, so that
 * a type is the same one whichever entry point it was imported from.
 */

import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import type {Plugin} from 'rolldown';
import {execute, FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import type {BuildInput} from './build.ts';

/** The folder holds nothing else: what was in it is removed. */
export const declarations: FloweyNode<BuildInput, void> = {
	name: 'declarations',
	async run(context, {entryPoints, folder}) {
		await compile();
		// Every other task starts faster without them.
		const [{rolldown}, {dts}] = await Promise.all([import('rolldown'), import('rolldown-plugin-dts')]);
		await using bundle = await rolldown({
			input: Object.fromEntries(entryPoints.map(({name, source}) => [name, compiled(relative(PATHS.repo, source))])),
			// The generator is for TypeScript sources, which these are not.
			plugins: [own, dts({dtsInput: true, emitDtsOnly: true, tsconfig: false, generator: 'oxc'})],
			// Packages stay where they are; what of them is left in the end is judged below.
			external: /^[^./#]/,
			checks: {bundlerTimings: false},
			onLog: (level, {message}) => {
				if (level === 'warn') throw new FloweyError(`The declarations do not bundle: ${message}`, remedy);
			},
		});
		const {output} = await bundle.generate({entryFileNames: '[name].d.ts', chunkFileNames: 'shared.d.ts'});
		const files = output.filter((file) => file.type === 'chunk');
		requireInstalled(
			// What the bundler says it imports has what nobody needs any more, too.
			files
				.flatMap(({code}) => [...code.matchAll(/\bfrom "([^"]+)"/g)].map(([, name = '']) => name))
				.filter((name) => !name.startsWith('.')),
		);
		rmSync(folder, {recursive: true, force: true});
		mkdirSync(folder, {recursive: true});
		for (const {fileName, code} of files) writeFileSync(join(folder, fileName), withLibrary(code));
		context.log(`${files.map(({fileName}) => fileName).join(', ')} in ${relative(PATHS.repo, folder)}/`);
	},
};

/** `AsyncDisposable` is declared in a library of TypeScript's that a program need not have named. */
const withLibrary = (code: string): string =>
	/asyncDispose|Disposable/.test(code) ? `/// <reference lib="esnext.disposable" />\n${code}` : code;

const remedy = 'Correct the sources: npm run check.';

/** One declaration for each source, where the project references put them. */
async function compile(): Promise<void> {
	const tsc = join(PATHS.repo, 'node_modules/typescript/bin/tsc');
	const {status, stdout, stderr} = await execute(process.execPath, [tsc, '-b', 'src/main'], {cwd: PATHS.repo});
	if (status !== 0) throw new FloweyError(`The sources do not compile:\n${stdout}${stderr}`, remedy);
}

const declaration = (source: string) => source.replace(/\.ts$/, '.d.ts');
const compiled = (source: string) => join(PATHS.types, declaration(source));

/** Imports of our own. Those of package.json's `imports` lead to sources, and the plugin would follow them there. */
const own: Plugin = {
	name: 'own',
	resolveId: {
		order: 'pre',
		handler(name, importer = '') {
			if (name.startsWith('#')) return compiled(`src/${name.slice(1)}/index.ts`);
			return name.startsWith('.') ? declaration(join(dirname(importer), name)) : undefined;
		},
	},
};

/** Checks the imports: a user who installs the package has its dependencies, and not the types of Node.js. */
function requireInstalled(imports: readonly string[]): void {
	const {dependencies} = JSON.parse(readFileSync(join(PATHS.repo, 'package.json'), 'utf8'));
	const missing = imports.filter((name) => !(name in dependencies));
	if (missing.length > 0) {
		throw new FloweyError(
			`The declarations refer to ${missing.join(', ')}, which users of the package need not have`,
			'Keep it out of what src/main/index.ts and src/devices/index.ts export; @internal hides a member.',
		);
	}
}
