/** Bundles the tests of machines for a back end into a folder of `.build/`, together with AVA. */

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
	/** The tests as built files, relative to the repository. */
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
			const files = await bundleTests(sources, folder, AVA);
			const avaConfig = join(folder, 'ava.config.mjs');
			writeFileSync(avaConfig, avaConfigText(files, on));
			context.log(`${files.length} test files`);
			return {folder, files, avaArgv: [process.execPath, join(folder, 'ava.js'), '--config', avaConfig]};
		},
	};

/** The cache is off because AVA would write it below node_modules, which is read-only in the incubator. */
function avaConfigText(files: readonly string[], on: TestedBackEnd): string {
	const config = {
		...{files, extensions: ['js'], cache: false, workerThreads: false, concurrency: 2, timeout: '30m'},
		// See vmTest.
		environmentVariables: {OPENVMM_TEST_ON: on},
	};
	return `export default ${JSON.stringify(config, null, '\t')};\n`;
}
