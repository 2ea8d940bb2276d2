/** Makes files of Debian packages, and makes them anew when the packages or the code that makes them have changed. */

import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {Apt, type DownloadedPackage} from '#main/debian';
import {type Content, FileTree, Spool} from '#main/file-tree';
import {unpackAll} from '#main/images';
import {gather} from '#main/tar';
import {FloweyError, type NodeContext, PATHS} from '../core/index.ts';
import {imageRecipe, isMadeBy} from './image-code.ts';

/** Far more than the files of all of them have. */
const MAX_UNPACKED_BYTES = 2 ** 31;

/** Files that are made of packages; each part is made of the packages that one entry of `fetch`'s answer has. */
export interface PackageImages<Part extends string> {
	/** The folder that notes which packages they were made of, and by which code. */
	readonly folder: string;
	readonly outputs: readonly string[];
	/** Files that go into the outputs beside the packages. */
	readonly scripts: readonly string[];
	fetch(apt: Apt): Promise<Readonly<Record<Part, readonly DownloadedPackage[]>>>;
	/** @param parts - the unpacked packages */
	build(parts: Readonly<Record<Part, FileTree>>): Promise<void>;
}

/** Makes what is not there or not current. @param refresh - ask the mirror again although everything is here */
export async function restoreImages<Part extends string>(
	context: NodeContext,
	images: PackageImages<Part>,
	refresh: boolean,
): Promise<void> {
	if (process.arch !== 'x64') {
		throw new FloweyError(`No guest kernel for ${process.arch}`, 'Run this on an x86-64 machine.');
	}
	const stamp = join(images.folder, 'packages.json');
	const recipeStamp = join(images.folder, 'images.sha256');
	mkdirSync(images.folder, {recursive: true});
	let packages = refresh ? undefined : downloadedPackages<Part>(stamp);
	if (packages !== undefined && isMadeBy(recipeOf(stamp, images.scripts), recipeStamp, images.outputs)) {
		context.skip('up to date');
		return;
	}
	if (packages === undefined) {
		packages = await fetchPackages(context, images);
		writeFileSync(stamp, JSON.stringify(packages));
	}
	context.log('building initial file systems');
	const recipe = recipeOf(stamp, images.scripts);
	await using spool = await Spool.open(PATHS.packages, MAX_UNPACKED_BYTES);
	const trees: [string, FileTree][] = [];
	for (const [part, paths] of Object.entries<readonly string[]>(packages)) {
		const tree = new FileTree(0);
		const files = paths.map((path) => join(PATHS.packages, path));
		await unpackAll(files, tree, spool);
		trees.push([part, tree]);
	}
	for (const output of images.outputs) mkdirSync(dirname(output), {recursive: true});
	await images.build(Object.fromEntries(trees) as Record<Part, FileTree>);
	writeFileSync(recipeStamp, recipe);
}

/** Another process may be booting from the old file at this moment. */
export async function replaceFile(path: string, content: Content): Promise<void> {
	mkdirSync(dirname(path), {recursive: true});
	writeFileSync(`${path}.new`, await gather(content.pieces()));
	renameSync(`${path}.new`, path);
}

/** Files of the packages that were fetched, below `.packages/`, if all are still there. */
function downloadedPackages<Part extends string>(stamp: string): Readonly<Record<Part, string[]>> | undefined {
	if (!existsSync(stamp)) return undefined;
	const files = JSON.parse(readFileSync(stamp, 'utf8')) as Record<Part, string[]>;
	return Object.values<string[]>(files)
		.flat()
		.every((path) => existsSync(join(PATHS.packages, path)))
		? files
		: undefined;
}

async function fetchPackages<Part extends string>(
	context: NodeContext,
	images: PackageImages<Part>,
): Promise<Readonly<Record<Part, string[]>>> {
	context.log('downloading packages');
	const parts = Object.entries<readonly DownloadedPackage[]>(await images.fetch(new Apt(join(PATHS.packages, 'apt'))));
	const names = parts.flatMap(([, files]) => files.map((each) => `${each.package.name} ${each.package.version}`));
	context.log(`downloaded ${names.join(', ')}`);
	const paths = parts.map(([part, files]) => [part, files.map(({path}) => path.slice(PATHS.packages.length + 1))]);
	return Object.fromEntries(paths) as Record<Part, string[]>;
}

/** Everything that an image is made from: the packages, the init scripts and the code that packs them. */
const recipeOf = (packagesStamp: string, scripts: readonly string[]): string =>
	imageRecipe(readFileSync(packagesStamp), scripts);
