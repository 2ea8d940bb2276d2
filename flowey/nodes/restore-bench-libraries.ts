/** Puts what benches let guests do beside programs of their own below `.packages/bench/`: Debian's Python, and SQLite to link with. */

import {chmodSync, mkdirSync, rmSync, symlinkSync} from 'node:fs';
import {join} from 'node:path';
import type {Package, PackageList} from '#main/debian';
import type {FileTree} from '#main/file-tree';
import {FloweyError, type FloweyNode, PATHS} from '../core/index.ts';
import {type PackageImages, replaceFile, restoreImages} from './package-images.ts';

const PYTHON = 'python3-minimal';
const PYTHON_OF_RELEASE = /^python3\.\d+-minimal$/;
const SQLITE = 'libsqlite3-dev';
/** Most of the C library's files, and nothing that Python asks for. */
const UNUSED = /^usr\/share\/|\/gconv\//;

const PYTHON_FOLDER = join(PATHS.bench, 'python');

const IMAGES: PackageImages<'python' | 'sqlite'> = {
	folder: PATHS.bench,
	outputs: [PYTHON_FOLDER, join(PATHS.bench, 'sqlite', 'libsqlite3.a')],
	scripts: [],
	fetch: (apt) => apt.fetch('amd64', (list) => ({python: withNeeds(list, pythonOf(list)), sqlite: [list.get(SQLITE)]})),
	async build({python, sqlite}) {
		rmSync(PYTHON_FOLDER, {recursive: true, force: true});
		await writeFolder(python, PYTHON_FOLDER, (path) => !UNUSED.test(path));
		await writeNamed(sqlite, /\/(libsqlite3\.a|sqlite3\.h)$/, join(PATHS.bench, 'sqlite'));
	},
};

/** Downloads some 12 MB once. */
export const restoreBenchLibraries: FloweyNode<void, void> = {
	name: 'restore-bench-libraries',
	run: (context) => restoreImages(context, IMAGES, false),
};

/** The package that the release's Python is in. */
function pythonOf(list: PackageList): Package {
	const found = list
		.get(PYTHON)
		.needs.flat()
		.find(({name}) => PYTHON_OF_RELEASE.test(name));
	if (found === undefined)
		throw new FloweyError(`The package ${PYTHON} needs no Python`, 'Refresh the package lists: apt-get update.');
	return list.get(found.name);
}

/** A package, and what it needs itself: what those need beside are programs that configure them. */
const withNeeds = (list: PackageList, wanted: Package): Package[] => [
	...new Set([wanted, ...wanted.needs.map(([first]) => list.get(first?.name ?? ''))]),
];

/** Writes files and links as they lie in a tree. */
async function writeFolder(tree: FileTree, folder: string, isWanted: (path: string) => boolean): Promise<void> {
	for (const [path, node] of tree.walk()) {
		if (!isWanted(path)) continue;
		const target = join(folder, path);
		if (node.kind === 'directory') mkdirSync(target, {recursive: true});
		else if (node.kind === 'link') symlinkSync(node.target, target);
		else if (node.kind === 'file') {
			await replaceFile(target, node.content);
			chmodSync(target, node.permissions);
		}
	}
}

/** Writes the files whose paths match, by their names alone. */
async function writeNamed(tree: FileTree, pattern: RegExp, folder: string): Promise<void> {
	for (const [path, node] of tree.walk()) {
		const name = pattern.exec(path)?.[1];
		if (name !== undefined && node.kind === 'file') await replaceFile(join(folder, name), node.content);
	}
}
