/** Makes a disk that has runtimes which compile what they run, and programs for them, below `.packages/runtimes/`. */

import {readFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {selectPackages} from '#main/debian';
import {bytesContent} from '#main/file-tree';
import {writeDisk} from '#main/images';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {type PackageImages, restoreImages} from './package-images.ts';

/** What Debian's release has of Node.js and Java. */
const PACKAGES = ['nodejs', 'default-jre-headless'];
const PROGRAMS = ['answers.mjs', 'Answers.java'].map((name) => join(PATHS.repo, 'test/bench/guests', name));
const DISK = join(PATHS.runtimes, 'disk.img');
const OPTIONS = {
	sizeBytes: 512 * 2 ** 20,
	time: 1_790_000_000,
	uuid: '3d6ba1c4-70c1-8d3e-9a52-6f0b1e7d2c48',
	label: 'runtimes',
};

const IMAGES: PackageImages<'system'> = {
	folder: PATHS.runtimes,
	outputs: [DISK],
	scripts: PROGRAMS,
	fetch: (apt) => apt.fetch('amd64', (list) => ({system: selectPackages(list, {base: 'none', names: PACKAGES})})),
	async build({system}) {
		// What a guest mounts there.
		for (const path of ['dev', 'proc', 'tmp']) system.addDirectory(path);
		for (const path of PROGRAMS) system.addFile(`opt/${basename(path)}`, bytesContent(readFileSync(path)));
		await writeDisk(system, DISK, OPTIONS);
	},
};

/** Downloads some 80 MB once. */
export const restoreRuntimes: FloweyNode<void, void> = {
	name: 'restore-runtimes',
	run: (context) => restoreImages(context, IMAGES, false),
};
