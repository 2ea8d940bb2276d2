/** Bundles the sources into `dist/`. */

import {existsSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {basename, join, relative} from 'node:path';
import {type BuildFailure, build as esbuild, formatMessages, type Metafile} from 'esbuild';
import {bundleOptions, FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
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
		const sharing = entryPoints.filter(({shares}) => shares);
		const alone = entryPoints.filter(({shares}) => !shares);
		// One file per thread: there every further file costs more than code that a thread does not use. In files of its own lies
		// only what is loaded on demand, or by two programs of a thread.
		const made = await Promise.all([bundle(sharing, folder, true), bundle(alone, folder, false)]);
		const outputs = new Set(made.flatMap((metafile) => Object.keys(metafile.outputs)).map((path) => basename(path)));
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

async function bundle(entryPoints: readonly EntryPoint[], folder: string, splitting: boolean): Promise<Metafile> {
	try {
		const {metafile} = await esbuild({
			...bundleOptions(),
			metafile: true,
			splitting,
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
