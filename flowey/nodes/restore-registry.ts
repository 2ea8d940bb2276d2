/** Puts programs that tests of images of containers talk to below `.packages/oci/`: a registry, and what makes images. */

import {chmodSync} from 'node:fs';
import {join} from 'node:path';
import type {FileTree} from '#main/file-tree';
import {FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {type PackageImages, replaceFile, restoreImages} from './package-images.ts';

/** Each needs a C library and nothing else, so that it runs from wherever it lies. */
const PROGRAMS = {registry: ['docker-registry', 'docker-registry'], umoci: ['umoci', 'umoci']} as const;
type Part = keyof typeof PROGRAMS;
const PARTS = Object.keys(PROGRAMS) as Part[];

const IMAGES: PackageImages<Part> = {
	folder: PATHS.oci,
	outputs: PARTS.map((part) => join(PATHS.oci, PROGRAMS[part][1])),
	scripts: [],
	fetch: (apt) =>
		apt.fetch('amd64', (list) => {
			const packageOf = (part: Part) => [list.get(PROGRAMS[part][0])];
			return {registry: packageOf('registry'), umoci: packageOf('umoci')};
		}),
	async build(parts) {
		for (const part of PARTS) await copyProgram(parts[part], PROGRAMS[part][1]);
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
