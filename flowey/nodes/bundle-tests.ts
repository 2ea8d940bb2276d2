/**
 * Bundles tests. A process that runs a file of them would load hundreds of modules one by one, which takes longer than most tests, and in an
 * emulated machine ten times as long. It also runs the built form of the code.
 */

import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {type BuildFailure, build as esbuild, formatMessages, type Plugin} from 'esbuild';
import {bundleOptions, FloweyError, PATHS, runNode} from '../core/index.ts';
import {WORKERS} from './entry-points.ts';
import {generateFiles} from './generate-files.ts';

const KEPT_MS = 24 * 3600_000;

/** One more file of a bundle, not from our sources. */
export interface ExtraEntry {
	readonly in: string;
	readonly out: string;
}

/** What else there is to say of a bundle. */
export interface BundleOptions {
	readonly extra?: readonly ExtraEntry[];
	/** Packages that stay outside. */
	readonly external?: readonly string[];
}

/** Bundles `sources` (relative to the repository) with the workers into `folder`; returns the files, in order. */
export async function bundleTests(
	sources: readonly string[],
	folder: string,
	{extra = [], external = []}: BundleOptions = {},
): Promise<string[]> {
	const names = sources.map((source) => source.replaceAll('/', '.').replace(/\.ts$/, ''));
	await esbuild({
		...bundleOptions(['@vercel/nft', ...external]),
		// Tests must find the one AVA that runs them.
		splitting: true,
		sourcemap: false,
		entryPoints: [
			...extra,
			...sources.map((source, index) => ({in: join(PATHS.repo, source), out: names[index] ?? ''})),
			...WORKERS.filter(({source}) => existsSync(source)).map(({source, name}) => ({in: source, out: name})),
		],
		outdir: folder,
		plugins: [keepTestLocation],
	}).catch(async (failure: BuildFailure) => {
		const messages = await formatMessages(failure.errors ?? [], {kind: 'error', color: process.stderr.isTTY});
		throw new FloweyError(
			`The tests do not build:\n${messages.join('\n') || failure.message}`,
			'Correct the sources: npm run check.',
		);
	});
	await runNode(generateFiles, {folder});
	return names.map((name) => relative(PATHS.repo, join(folder, `${name}.js`)));
}

/** A new folder below `.build/`, so that runs at the same time do not meet; what broken-off runs left a day ago goes away. */
export function bundleFolder(name: string): string {
	const parent = join(PATHS.build, name);
	mkdirSync(parent, {recursive: true});
	for (const entry of readdirSync(parent)) {
		const path = join(parent, entry);
		if (Date.now() - statSync(path).mtimeMs > KEPT_MS) {
			rmSync(path, {recursive: true, force: true});
		}
	}
	return mkdtempSync(join(parent, 'run-'));
}

/** Tests find fixtures beside their source, which is not where their bundle lies. */
const keepTestLocation: Plugin = {
	name: 'keep-test-location',
	setup(build) {
		build.onLoad({filter: /(\/test(ing)?\/.*|\.test)\.ts$/}, ({path}) => {
			if (path.includes('/node_modules/')) {
				return undefined;
			}
			const contents = readFileSync(path, 'utf8')
				.replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
				.replaceAll('import.meta.filename', JSON.stringify(path))
				.replaceAll('import.meta.url', JSON.stringify(`file://${path}`));
			return {contents, loader: 'ts'};
		});
	},
};
