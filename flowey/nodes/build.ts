/** Bundles the sources into `dist/`. */

import {createHash} from 'node:crypto';
import {existsSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {basename, join, relative} from 'node:path';
import {type BuildFailure, type BuildOptions, build as esbuild, formatMessages, type Metafile} from 'esbuild';
import {bundleOptions, FloweyError, type FloweyNode, PATHS, programOptions} from '../core/index.ts';
import type {EntryPoint} from './entry-points.ts';
import {licensesOf} from './licenses.ts';

/** Programs to build, and the place for them. */
export interface BuildInput {
	readonly entryPoints: readonly EntryPoint[];
	readonly folder: string;
}

/** Files of earlier builds that this one does not produce are removed. */
export const build: FloweyNode<BuildInput, void> = {
	name: 'build',
	async run(context, {entryPoints, folder}) {
		requireSources(entryPoints);
		const programs = entryPoints.filter(({exports}) => exports !== undefined);
		const modules = [LOADER, ...entryPoints.filter(({exports}) => exports === undefined)];
		const codes = programs.map((program) => ({...program, name: codeName(program)}));
		const made = await Promise.all([
			bundle(codes, folder, programOptions()),
			...modules.map((one) => bundle([one], folder, {...bundleOptions(), splitting: true})),
		]);
		for (const program of programs) writeFileSync(join(folder, `${program.name}.js`), starterOf(program, folder));
		const bundles = made.flatMap((metafile) => Object.keys(metafile.outputs)).map((path) => basename(path));
		const outputs = new Set([...bundles, ...programs.map(({name}) => `${name}.js`)]);
		for (const {name} of readdirSync(folder, {withFileTypes: true}).filter((entry) => entry.isFile())) {
			if (!outputs.has(name)) {
				rmSync(join(folder, name));
			}
		}
		const inputs = new Set(made.flatMap((metafile) => Object.keys(metafile.inputs)));
		const licenses = licensesOf([...inputs], PATHS.repo);
		if (licenses !== '') writeFileSync(join(folder, 'LICENSES.txt'), `${licenses}\n`);
		context.log(`${entryPoints.map(({name}) => `${name}.js`).join(', ')} in ${relative(PATHS.repo, folder)}/`);
	},
};

/** Loads programs. */
const LOADER: EntryPoint = {name: 'load-program', source: join(PATHS.repo, 'src/support/program/load-program.ts')};

const codeName = ({name}: EntryPoint) => `${name}.code`;

/** The module that stands for a program: it has the loader run the program's bundle. */
function starterOf(program: EntryPoint, folder: string): string {
	const file = `${codeName(program)}.js`;
	const version = createHash('sha256')
		.update(readFileSync(join(folder, file)))
		.digest('hex')
		.slice(0, 16);
	const load = `loadProgram(new URL('./${file}', import.meta.url), '${version}')`;
	const names = program.exports?.join(', ');
	const lines = [
		`import {loadProgram} from './${LOADER.name}.js';`,
		names ? `export const {${names}} = ${load};` : `${load};`,
	];
	return lines.join('\n').concat('\n');
}

async function bundle(entryPoints: readonly EntryPoint[], folder: string, options: BuildOptions): Promise<Metafile> {
	try {
		const {metafile} = await esbuild({
			...options,
			metafile: true,
			absWorkingDir: PATHS.repo,
			entryPoints: entryPoints.map(({source, name}) => ({in: source, out: name})),
			outdir: folder,
		});
		return metafile;
	} catch (error) {
		throw await readable(error as BuildFailure);
	}
}

function requireSources(entryPoints: readonly EntryPoint[]): void {
	const missing = entryPoints.filter(({source}) => !existsSync(source));
	if (missing.length > 0) {
		const list = missing.map(({name, source}) => `${relative(PATHS.repo, source)} (for ${name}.js)`).join(', ');
		throw new FloweyError(`Cannot build without ${list}`, 'Write it, or correct flowey/nodes/entry-points.ts.');
	}
}

async function readable(failure: BuildFailure): Promise<FloweyError> {
	const messages = await formatMessages(failure.errors ?? [], {kind: 'error', color: process.stderr.isTTY});
	return new FloweyError(
		`The sources do not build:\n${messages.join('\n') || failure.message}`,
		'Correct the sources: npm run check.',
	);
}
