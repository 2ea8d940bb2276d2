/** The licenses of packages that are inside the bundles, and so do not bring them to users themselves. */

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {FloweyError} from '../core/index.ts';

/**
 * The licenses of every package that one of `inputs` is from, one after the other; empty when there is none.
 * @param inputs - files that were bundled, relative to `folder`
 * @throws FloweyError for a package without one
 */
export function licensesOf(inputs: readonly string[], folder: string): string {
	const packages = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? ''));
	return [...packages]
		.filter((path) => path !== '')
		.sort()
		.map((path) => licenseOf(join(folder, path)))
		.join('\n\n');
}

function licenseOf(folder: string): string {
	const {name, version} = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
	const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
	if (files.length === 0) {
		throw new FloweyError(`${name} is bundled and has no license file`, 'Ask its authors, or do without it.');
	}
	return [`${name} ${version}`, ...files.map((file) => readFileSync(join(folder, file), 'utf8').trim())].join('\n\n');
}
