/** Puts programs that tests of images of containers talk to below `.packages/oci/`: a registry, and what makes images. */

import {chmodSync} from 'node:fs';
import {join} from 'node:path';
import type {FileTree} from '#main/file-tree';
import {FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {type PackageImages, replaceFile, restoreImages} from './package-images.ts';

/** They are named like their packages. Each needs a C library and nothing else, so that it runs from wherever it lies. */
const PROGRAMS = ['docker-registry', 'umoci'] as const;

const IMAGES: PackageImages<(typeof PROGRAMS)[number]> = {
	folder: PATHS.oci,
	outputs: PROGRAMS.map((name) => join(PATHS.oci, name)),
	scripts: [],
	fetch: (apt) =>
		apt.fetch('amd64', (list) => ({'docker-registry': [list.get('docker-registry')], umoci: [list.get('umoci')]})),
	async build(parts) {
		for (const name of PROGRAMS) await copyProgram(parts[name], name);
	},
};

/** Downloads 7 MB once. */
export const restoreRegistry: FloweyNode<void, void> = {
	name: 'restore-registry',
	run: (context) => restoreImages(context, IMAGES, false),
};

async function copyProgram(tree: FileTree, name: string): Promise<void> {
	const found = tree.find(`usr/bin/${name}`);
	if (found?.kind !== 'file') throw new FloweyError(`No ${name} in its package`, 'Delete .packages/ and try again.');
	const path = join(PATHS.oci, name);
	await replaceFile(path, found.content);
	chmodSync(path, 0o755);
}
