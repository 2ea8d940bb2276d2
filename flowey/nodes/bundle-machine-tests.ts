/** Bundles the tests of machines for a back end into a folder of `.build/`, together with AVA. */

import {globSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {longestFirst} from '../tests/every-run.ts';
import {writeAvaConfig} from './ava-config.ts';
import {bundleFolder, bundleTests} from './bundle-tests.ts';

/**
 * AVA goes into the bundle as well: from its many small files it takes 12 s to start under emulation, from one 6 s.
 * It looks for its worker below the folder of its own file. What it needs for watching files stays outside.
 */
const AVA = [
	{in: join(PATHS.repo, 'node_modules/ava/entrypoints/cli.js'), out: 'ava'},
	{in: join(PATHS.repo, 'node_modules/ava/lib/worker/base.js'), out: 'worker/base'},
];
/** Back ends that tests are bundled for: those of KVM itself run on KVM only. */
const PATTERNS = {
	kvm: ['src/**/*.{kvm,vm}.test.ts', 'test/**/*.{kvm,vm}.test.ts'],
	software: ['test/**/*.vm.test.ts'],
} as const;

/** A back end that machines of tests run on. */
type TestedBackEnd = keyof typeof PATTERNS;

/** Built tests. */
export interface MachineTestBundles {
	/** Remove it when the tests have run. */
	readonly folder: string;
	/** The tests as built files, relative to the repository, in the order in which they start. */
	readonly files: readonly string[];
	/** Starts AVA on all of them, unless some of {@link files} follow. */
	readonly avaArgv: readonly string[];
}

/** Takes the tests whose path contains `match`; the list is empty when there is no such test. */
export const bundleMachineTests: FloweyNode<{readonly match: string; readonly on: TestedBackEnd}, MachineTestBundles> =
	{
		name: 'bundle-machine-tests',
		async run(context, {match, on}) {
			const sources = globSync(PATTERNS[on], {cwd: PATHS.repo})
				.filter((path) => path.includes(match))
				.sort();
			const folder = bundleFolder(`${on}-tests`);
			const files = longestFirst(await bundleTests(sources, folder, {extra: AVA}));
			const avaConfig = writeAvaConfig(folder, {
				// AVA would write its cache below node_modules, which is read-only in the incubator.
				...{files, extensions: ['js'], cache: false, workerThreads: false, timeout: '30m'},
				// A file more than there are processors: some of them wait.
				concurrency: availableParallelism() + 1,
				// See vmTest.
				environmentVariables: {OPENVMM_TEST_ON: on},
			});
			context.log(`${files.length} test files`);
			// A process for each file: the later ones find compiled what they share with the earlier, and so do programs that tests start.
			const compileCache = `NODE_COMPILE_CACHE=${join(folder, 'compile-cache')}`;
			const avaArgv = ['env', compileCache, process.execPath, join(folder, 'ava.js'), '--config', avaConfig];
			return {folder, files, avaArgv};
		},
	};
