/** Bundles the unit tests: loading their modules one by one takes more time than most of the tests. */

import {globSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {AVA_ARGV} from '../tests/ava.ts';
import {type AvaConfig, writeAvaConfig} from './ava-config.ts';
import {bundleFolder, bundleTests} from './bundle-tests.ts';

/** Tests whose file says these look for what lies beside their source: committed snapshots, or modules for a program that they start. */
const sourceWords = /\bt\.snapshot\(|\bimport\.meta\.resolve\(/;

/** Unit tests, ready to run. */
export interface UnitTestBundles {
	/** Remove it when the tests have run. */
	readonly folder: string;
	/** Starts AVA on all of them. */
	readonly avaArgv: readonly string[];
}

/** Takes those of `ava.config.js`. Tests of flowey, and those that need their source's place, run as they are. */
export const bundleUnitTests: FloweyNode<void, UnitTestBundles> = {
	name: 'bundle-unit-tests',
	async run(context) {
		const {default: config}: {default: AvaConfig} = await import(join(PATHS.repo, 'ava.config.js'));
		const isLeftOut = config.files.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1));
		const patterns = config.files.filter((pattern) => !pattern.startsWith('!'));
		const all = globSync(patterns, {cwd: PATHS.repo, exclude: isLeftOut}).sort();
		const isBundled = (path: string) =>
			!path.startsWith('flowey/') && !sourceWords.test(readFileSync(join(PATHS.repo, path), 'utf8'));
		const folder = bundleFolder('unit-tests');
		const bundled = await bundleTests(all.filter(isBundled), folder, {external: ['ava']});
		const files = [...bundled, ...all.filter((path) => !isBundled(path))];
		context.log(`${bundled.length} bundled test files, ${files.length - bundled.length} others`);
		const avaConfig = writeAvaConfig(folder, {...config, files});
		return {folder, avaArgv: [...AVA_ARGV, '--config', avaConfig]};
	},
};
