/** From the name of an image to its parts in the cache. */

import {createHash} from 'node:crypto';
import {realpath, stat} from 'node:fs/promises';
import {isVmmError} from '#support/errors';
import {importArchive, isImageArchive} from './archive.ts';
import {type CompleteImage, completeImage, storedImage} from './complete-image.ts';
import {ociError} from './errors.ts';
import {filePieces} from './file-pieces.ts';
import type {ImageName} from './image-name.ts';
import type {ImageStore, StoredName} from './image-store.ts';
import {layoutSource, layoutTop} from './layout.ts';
import {type ImageReference, referenceText} from './reference.ts';
import {type RegistryAccess, RegistrySource} from './registry-source.ts';

/** How an image is looked for. */
export interface FindOptions extends RegistryAccess {
	/** Whether a registry is asked, or a file is read: where the cache has no such name, always, or never, which is said of registries alone. */
	readonly pull: 'missing' | 'always' | 'never';
	readonly progress: (step: 'resolve' | 'download', done: number, total: number) => void;
	readonly signal: AbortSignal | undefined;
}

/** An image of layers, or a root file system in an archive of this host. */
export type FoundImage =
	| {readonly kind: 'image'; readonly name: string; readonly image: CompleteImage}
	| {
			readonly kind: 'tar';
			readonly name: string;
			readonly path: string;
			readonly digest: string;
			readonly size: number;
	  };

/** @throws VmmError OCI_*, REGISTRY_*; the signal's reason */
export function findImage(
	store: ImageStore,
	asked: Exclude<ImageName, {readonly kind: 'disk' | 'folder' | 'path'}>,
	options: FindOptions,
): Promise<FoundImage> {
	return asked.kind === 'reference' ? findReference(store, asked.reference, options) : findFile(store, asked, options);
}

async function findReference(store: ImageStore, reference: ImageReference, options: FindOptions): Promise<FoundImage> {
	const {pull, progress, signal} = options;
	const name = referenceText(reference);
	const known = pull === 'always' ? undefined : await knownImage(store, name, undefined);
	if (known !== undefined) return known;
	if (pull === 'never') {
		const has = (await store.names()).map((each) => each.name);
		throw ociError('OCI_IMAGE_UNKNOWN', {name, has: has.slice(0, 20)});
	}
	progress('resolve', 0, 0);
	const source = await RegistrySource.open(store, reference, options, signal);
	const image = await completeImage(store, source, await source.top(), {
		progress: (done, total) => progress('download', done, total),
		signal,
	});
	await note(store, {name, kind: 'image', digest: image.digest, size: image.size});
	return {kind: 'image', name, image};
}

async function findFile(
	store: ImageStore,
	asked: Extract<ImageName, {readonly kind: 'tar' | 'archive' | 'tar-or-archive' | 'layout'}>,
	{pull, progress, signal}: FindOptions,
): Promise<FoundImage> {
	const path = await realpath(asked.path).catch((error: NodeJS.ErrnoException) => {
		throw ociError('OCI_PATH_UNUSABLE', {path: asked.path, what: unusable(error)});
	});
	const {image} = asked;
	const found = await stat(path, {bigint: true});
	const isLayout = asked.kind === 'layout';
	if (isLayout ? !found.isDirectory() : !found.isFile())
		throw ociError('OCI_PATH_UNUSABLE', {path, what: isLayout ? 'it is no folder' : 'it is no plain file'});
	const prefix = isLayout ? 'oci' : asked.kind === 'tar' ? 'tar' : 'archive';
	const name = `${prefix}:${path}${image === undefined ? '' : `#${image}`}`;
	// What a layout has is told by its index, which other files do not change.
	const stamped = isLayout ? await stat(`${path}/index.json`, {bigint: true}).catch(() => found) : found;
	const stamp = [stamped.ino, stamped.size, stamped.mtimeNs, stamped.ctimeNs].join('-');
	const names = asked.kind === 'tar-or-archive' ? [name, `tar:${path}`] : [name];
	for (const each of pull === 'always' ? [] : names) {
		const known = await knownImage(store, each, stamp);
		if (known !== undefined) return known;
	}
	const total = Number(found.size);
	const came = (bytes: number) => {
		signal?.throwIfAborted();
		progress('resolve', Math.min(bytes, total), total);
	};
	if (asked.kind === 'tar' || (asked.kind === 'tar-or-archive' && !(await isImageArchive(path, came))))
		return tarOf(store, path, stamp, came);
	const top = isLayout ? await layoutTop(path, image) : await importArchive(store, path, image, came);
	const missing = (digest: string) => ociError('OCI_BLOB_MISSING', {digest, where: path});
	const source = isLayout
		? layoutSource(store, path)
		: {where: path, fetch: ({digest}: {readonly digest: string}) => Promise.reject(missing(digest))};
	const complete = await completeImage(store, source, top, {
		progress: (done, all) => progress('download', done, all),
		signal,
	});
	await note(store, {name, kind: 'image', digest: complete.digest, size: complete.size, stamp});
	return {kind: 'image', name, image: complete};
}

async function tarOf(
	store: ImageStore,
	path: string,
	stamp: string,
	came: (bytes: number) => void,
): Promise<FoundImage> {
	const hash = createHash('sha256');
	let size = 0;
	for await (const piece of filePieces(path, came)) {
		hash.update(piece);
		size += piece.length;
	}
	const [name, digest] = [`tar:${path}`, `sha256:${hash.digest('hex')}`];
	await note(store, {name, kind: 'tar', digest, size, stamp});
	return {kind: 'tar', name, path, digest, size};
}

/** What a name stands for by the cache alone; undefined where it does not know, or where something of it is gone. */
async function knownImage(store: ImageStore, name: string, stamp: string | undefined): Promise<FoundImage | undefined> {
	const known = await store.name(name);
	if (known === undefined || known.stamp !== stamp) return undefined;
	const {digest, size} = known;
	if (known.kind === 'tar') return {kind: 'tar', name, path: name.slice('tar:'.length), digest, size};
	try {
		const image = await storedImage(store, digest);
		const areThere = await Promise.all(image.layers.map((layer) => store.has(layer)));
		return areThere.every((isThere) => isThere) ? {kind: 'image', name, image} : undefined;
	} catch (error) {
		if (isVmmError(error, 'OCI_BLOB_MISSING')) return undefined;
		throw error;
	}
}

const note = (store: ImageStore, named: Omit<StoredName, 'time'>): Promise<void> =>
	store.setName({...named, time: Math.floor(Date.now() / 1000)});

const unusable = ({code}: NodeJS.ErrnoException): string => (code === 'ENOENT' ? 'there is none' : `${code}`);
