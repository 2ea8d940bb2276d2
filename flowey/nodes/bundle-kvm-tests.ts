/** Bundles the tests that run on KVM into `.build/kvm-tests/`, together with AVA. */

import {globSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {bundleFolder, bundleTests} from './bundle-tests.ts';

/**
 * AVA goes into the bundle as well: from its many small files it takes 12 s to start under emulation, from one 6 s.
 * It looks for its worker below the folder of its own file. What it needs for watching files stays outside.
 */
const AVA = [
	{in: join(PATHS.repo, 'node_modules/ava/entrypoints/cli.js'), out: 'ava'},
	{in: join(PATHS.repo, 'node_modules/ava/lib/worker/base.js'), out: 'worker/base'},
];
const PATTERNS = ['src/**/*.{kvm,vm}.test.ts', 'test/**/*.{kvm,vm}.test.ts'];

/** Built tests. */
export interface KvmTestBundles {
	/** Remove it when the tests have run. */
	readonly folder: string;
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
		const folder = bundleFolder('kvm-tests');
		const files = await bundleTests(sources, folder, AVA);
		const avaConfig = join(folder, 'ava.config.mjs');
		writeFileSync(avaConfig, avaConfigText(files));
		context.log(`${files.length} test files`);
		return {folder, files, avaArgv: [process.execPath, join(folder, 'ava.js'), '--config', avaConfig]};
	},
};

/** The cache is off because AVA would write it below node_modules, which is read-only in the incubator. */
function avaConfigText(files: readonly string[]): string {
	const config = {
		...{files, extensions: ['js'], cache: false, workerThreads: false, concurrency: 2, timeout: '10m'},
		// Tests of machines run on KVM here; see vmTest.
		environmentVariables: {OPENVMM_TEST_ON: 'kvm'},
	};
	return `export default ${JSON.stringify(config, null, '\t')};\n`;
}
