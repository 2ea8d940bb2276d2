/**
 * Bundles the tests that need KVM into `.build/kvm-tests/`. They run where everything is emulated, at a tenth of the
 * speed: loading TypeScript module by module would take most of the time. It also tests the built form of the code.
 */

import {existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {type BuildFailure, build as esbuild, formatMessages, type Plugin} from 'esbuild';
import {bundleOptions, FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {WORKERS} from './entry-points.ts';

const FOLDER = join(PATHS.build, 'kvm-tests');
/**
 * AVA goes into the bundle as well: from its many small files it takes 12 s to start under emulation, from one 6 s.
 * It looks for its worker below the folder of its own file. What it needs for watching files stays outside.
 */
const AVA = [
	{in: join(PATHS.repo, 'node_modules/ava/entrypoints/cli.js'), out: 'ava'},
	{in: join(PATHS.repo, 'node_modules/ava/lib/worker/base.js'), out: 'worker/base'},
];
const PATTERNS = ['src/**/*.kvm.test.ts', 'test/**/*.kvm.test.ts'];

/** What was built. */
export interface KvmTestBundles {
	/** The tests as built files, relative to the repository. */
	readonly files: readonly string[];
	/** Starts AVA on all of them, unless some of {@link files} follow. */
	readonly avaArgv: readonly string[];
}

/** Takes the tests whose path contains `match`; the list is empty when there is no such test. */
export const bundleKvmTests: FloweyNode<{readonly match: string}, KvmTestBundles> = {
	name: 'bundle-kvm-tests',
	async run(context, {match}) {
		const sources = globSync(PATTERNS, {cwd: PATHS.repo})
			.filter((path) => path.includes(match))
			.sort();
		const names = sources.map((source) => source.replaceAll('/', '.').replace(/\.ts$/, ''));
		rmSync(FOLDER, {recursive: true, force: true});
		mkdirSync(FOLDER, {recursive: true});
		const workers = WORKERS.filter(({source}) => existsSync(source));
		await esbuild({
			...bundleOptions(['@vercel/nft']),
			sourcemap: false,
			entryPoints: [
				...AVA,
				...sources.map((source, index) => ({in: join(PATHS.repo, source), out: names[index] ?? ''})),
				...workers.map(({source, name}) => ({in: source, out: name})),
			],
			outdir: FOLDER,
			plugins: [keepTestLocation],
		}).catch(async (failure: BuildFailure) => {
			const messages = await formatMessages(failure.errors ?? [], {kind: 'error', color: process.stderr.isTTY});
			throw new FloweyError(
				`The KVM tests do not build:\n${messages.join('\n') || failure.message}`,
				'Correct them: npm run check.',
			);
		});
		const files = names.map((name) => relative(PATHS.repo, join(FOLDER, `${name}.js`)));
		const avaConfig = join(FOLDER, 'ava.config.mjs');
		writeFileSync(avaConfig, avaConfigText(files));
		context.log(`${files.length} test files`);
		return {files, avaArgv: [process.execPath, join(FOLDER, 'ava.js'), '--config', avaConfig]};
	},
};

/** The cache is off because AVA would write it below node_modules, which is read-only in the incubator. */
function avaConfigText(files: readonly string[]): string {
	const config = {
		files,
		extensions: ['js'],
		cache: false,
		workerThreads: false,
		concurrency: 2,
		timeout: '5m',
	};
	return `export default ${JSON.stringify(config, null, '\t')};\n`;
}

/** Tests find fixtures beside their source, which is not where their bundle lies. */
const keepTestLocation: Plugin = {
	name: 'keep-test-location',
	setup(build) {
		build.onLoad({filter: /(\/test\/.*|\.test)\.ts$/}, ({path}) => {
			const text = readFileSync(path, 'utf8');
			const contents = text
				.replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
				.replaceAll('import.meta.filename', JSON.stringify(path))
				.replaceAll('import.meta.url', JSON.stringify(`file://${path}`));
			return {contents, loader: 'ts'};
		});
	},
};
