/** What a person asks of the images that are in the cache. */

import {readdir, readFile, rm} from 'node:fs/promises';
import {basename, join} from 'node:path';
import {hashOfKey} from '#main/file-cache';
import {abortable, type LongOperation} from '#support/abort';
import {storedImage} from './complete-image.ts';
import {checksumOf} from './digest.ts';
import {inCache, ociError} from './errors.ts';
import {type FindOptions, findImage} from './find-image.ts';
import type {ImageConfig} from './image-config.ts';
import {parseImageName} from './image-name.ts';
import {ImageStore, type StoredFile, type StoredName} from './image-store.ts';
import {parseManifest} from './manifest.ts';
import type {ImageRequest, OpenOperation} from './open-image.ts';
import {parseReference, referenceText} from './reference.ts';
import {rootKey} from './root-disk.ts';

/** What is known of an image. */
export interface ImageFacts {
	readonly name: string;
	/** A checksum, of its manifest. */
	readonly digest: string;
	readonly config: ImageConfig;
	readonly layers: readonly {readonly digest: string; readonly size: number; readonly mediaType: string}[];
}

/** What was taken away. */
export interface Removed {
	readonly names: readonly string[];
	readonly files: number;
	readonly bytes: number;
	/** Files that are still there, of work that was given up when some were gone. */
	readonly left: number;
}

/** A root that no name stands for, as those of folders, is kept so long after it was used: whoever uses it soon again need not wait. */
const unnamedMs = 24 * 3600 * 1000;
/** Somebody may be about to open what was made or used just now. */
const justNowMs = 10 * 60 * 1000;

/** Fetches an image, whether or not it is there already. @throws VmmError OCI_*, REGISTRY_*; OPERATION_ABORTED */
export async function pullImage(
	request: Omit<ImageRequest, 'folder' | 'freeBytes' | 'pull'>,
	operation: OpenOperation = {},
): Promise<ImageFacts> {
	const pull = async () => {
		const store = await ImageStore.open(request.cache);
		const reference = parseReference(request.image.replace(/^docker:\/\//, ''));
		return factsOf(store, {kind: 'reference', reference}, {...request, pull: 'always', ...of(operation)});
	};
	return inCache(() => abortable('image pull', operation.signal, pull));
}

/**
 * Copies an image of an archive or a layout into the cache, under a name as those on registries have.
 * @throws VmmError OCI_*; OPERATION_ABORTED
 */
export async function loadImage(
	path: string,
	name: string,
	{cache}: Pick<ImageRequest, 'cache'> = {},
	operation: OpenOperation = {},
): Promise<ImageFacts> {
	const load = async () => {
		const store = await ImageStore.open(cache);
		const reference = referenceText(parseReference(name));
		const asked = parseImageName(path);
		if (asked.kind === 'reference' || asked.kind === 'disk' || asked.kind === 'folder' || asked.kind === 'path')
			throw ociError('OCI_KIND_UNSTATED', {path, what: 'only archives and layouts have images to load'});
		const facts = await factsOf(store, asked, {pull: 'never', ...of(operation)});
		const size = facts.layers.reduce((sum, layer) => sum + layer.size, 0);
		const time = Math.floor(Date.now() / 1000);
		await store.setName({name: reference, kind: 'image', digest: facts.digest, size, time});
		return {...facts, name: reference};
	};
	return inCache(() => abortable('image load', operation.signal, load));
}

const of = ({progress = () => {}, signal}: OpenOperation): Pick<FindOptions, 'progress' | 'signal'> => ({
	progress,
	signal,
});

async function factsOf(
	store: ImageStore,
	asked: Parameters<typeof findImage>[1],
	options: FindOptions,
): Promise<ImageFacts> {
	const found = await findImage(store, asked, options);
	if (found.kind === 'tar')
		throw ociError('OCI_ARCHIVE_INVALID', {
			path: found.path,
			what: 'it is a root file system, and has no image to load',
		});
	const {digest, config, layers} = found.image;
	return {name: found.name, digest, config, layers};
}

/** The images that are there, by their names. @throws VmmError OCI_CACHE_UNSAFE */
export const listImages = async ({cache}: Pick<ImageRequest, 'cache'> = {}): Promise<readonly StoredName[]> =>
	(await ImageStore.open(cache)).names();

/** @throws VmmError OCI_IMAGE_UNKNOWN */
export async function inspectImage(name: string, {cache}: Pick<ImageRequest, 'cache'> = {}): Promise<ImageFacts> {
	const store = await ImageStore.open(cache);
	const known = await nameOf(store, name);
	if (known.kind === 'tar')
		throw ociError('OCI_ARCHIVE_INVALID', {
			path: known.name,
			what: 'it is a root file system, which says nothing of itself',
		});
	const {config, layers} = await storedImage(store, known.digest);
	return {name: known.name, digest: known.digest, config, layers};
}

/** Names as a person writes them, and as `image ls` does. */
async function nameOf(store: ImageStore, name: string): Promise<StoredName> {
	const known = (await store.name(name)) ?? (await store.name(wholeName(name)));
	if (known !== undefined) return known;
	const has = (await store.names()).map((each) => each.name);
	throw ociError('OCI_IMAGE_UNKNOWN', {name, has: has.slice(0, 20)});
}

function wholeName(name: string): string {
	const asked = parseImageName(name);
	return asked.kind === 'reference' ? referenceText(asked.reference) : name;
}

/**
 * Takes a name away, with all that belongs to no other image. Machines that run keep what they have open. Given up, the files stay that are left.
 * @throws VmmError OCI_IMAGE_UNKNOWN, OPERATION_ABORTED
 */
export const removeImage = (
	name: string,
	{cache}: Pick<ImageRequest, 'cache'> = {},
	asked: LongOperation = {},
): Promise<Removed> =>
	abortable('image rm', asked.signal, async () => removeName(await ImageStore.open(cache), name, asked));

async function removeName(store: ImageStore, name: string, asked: LongOperation): Promise<Removed> {
	const known = await nameOf(store, name);
	const mine = await partsOf(store, [known]);
	asked.signal?.throwIfAborted();
	await store.removeName(known.name);
	const others = await partsOf(store, await store.names());
	const isMineAlone = (part: string) => mine.has(part) && !others.has(part);
	const files = await filesOf(store);
	return remove(
		files.filter(({part}) => isMineAlone(part)),
		[known.name],
		asked,
	);
}

/** Takes away all that no name stands for. Given up, the files stay that are left. @throws VmmError OPERATION_ABORTED */
export const pruneImages = ({cache}: Pick<ImageRequest, 'cache'> = {}, asked: LongOperation = {}): Promise<Removed> =>
	abortable('image prune', asked.signal, async () => removeUnnamed(await ImageStore.open(cache), asked));

async function removeUnnamed(store: ImageStore, asked: LongOperation): Promise<Removed> {
	const kept = await partsOf(store, await store.names());
	const now = Date.now();
	const files = (await filesOf(store)).filter(({part, used, isRoot}) => {
		const age = now - used;
		return !kept.has(part) && age > (isRoot ? unnamedMs : justNowMs);
	});
	const given = await givenUp(store, now - justNowMs);
	asked.signal?.throwIfAborted();
	return remove([...files, ...given], [], asked);
}

/** Every part of images, by how its file's name begins. */
async function partsOf(store: ImageStore, names: readonly StoredName[]): Promise<Set<string>> {
	const parts = new Set<string>();
	for (const {kind, digest} of names) {
		if (kind === 'tar') {
			parts.add(hashOfKey(rootKey([digest])));
			continue;
		}
		// What is damaged holds nothing back but itself.
		const path = store.pathOf({checksum: checksumOf(digest)});
		const manifest = await readFile(path).then(
			(bytes) => parseManifest(digest, bytes, undefined),
			() => undefined,
		);
		if (manifest?.kind !== 'manifest') continue;
		const layers = manifest.layers.map((each) => each.digest);
		for (const each of [digest, manifest.config.digest, ...layers]) parts.add(checksumOf(each));
		parts.add(hashOfKey(rootKey(layers)));
	}
	return parts;
}

interface CacheFile extends StoredFile {
	readonly part: string;
	readonly isRoot: boolean;
}

async function filesOf(store: ImageStore): Promise<CacheFile[]> {
	const [blobs, roots] = await Promise.all([store.blobs(), store.roots()]);
	return [
		...blobs.map((file) => ({...file, part: basename(file.path), isRoot: false})),
		...roots.map((file) => ({...file, part: basename(file.path).split('-')[0] as string, isRoot: true})),
	];
}

/** Files that somebody has begun and left. */
async function givenUp(store: ImageStore, before: number): Promise<StoredFile[]> {
	const folder = join(store.folder, 'partial');
	const files = await store.statAll(folder, await readdir(folder));
	return files.filter(({used}) => used < before);
}

async function remove(
	files: readonly StoredFile[],
	names: readonly string[],
	{progress, signal}: LongOperation,
): Promise<Removed> {
	const total = files.reduce((sum, {bytes}) => sum + bytes, 0);
	let [removed, done] = [0, 0];
	for (const {path, bytes} of files) {
		if (signal?.aborted) break;
		await rm(path, {force: true});
		removed++;
		done += bytes;
		progress?.(done, total);
	}
	return {names, files: removed, bytes: done, left: files.length - removed};
}
