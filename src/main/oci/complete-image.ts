import type {LongOperation} from '#support/abort';
import {ociError} from './errors.ts';
import {type ParsedConfig, parseConfig} from './image-config.ts';
import {factsOf, type ImageStore} from './image-store.ts';
import {mostJsonBytes} from './json.ts';
import {type Descriptor, forPlatform, type Layer, type Manifest, parseManifest} from './manifest.ts';

/** Where the parts of images come from. */
export interface ContentSource {
	/** What errors call it. */
	readonly where: string;
	/**
	 * Puts a part into the cache, verified.
	 * @param came - told how many bytes of it are there
	 */
	fetch(part: Descriptor, kind: 'manifest' | 'blob', came: (bytes: number) => void): Promise<void>;
}

/** An image all of whose parts are in the cache. */
export interface CompleteImage extends ParsedConfig {
	/** Of its manifest. */
	readonly digest: string;
	readonly layers: readonly Layer[];
	/** Bytes of its layers as they are transferred. */
	readonly size: number;
}

/** An index may have indexes; nobody makes three of them. */
const mostIndexes = 3;
/** Registries and lines give more by some at once; more than these would be impolite. */
const atOnce = 4;
/** Of all layers of an image as they are transferred. */
const mostImageBytes = 2 ** 37;

/**
 * Fetches what is missing of an image, for the platform of machines here.
 * @throws VmmError OCI_*, and what the source throws; the signal's reason
 */
export async function completeImage(
	store: ImageStore,
	source: ContentSource,
	top: Descriptor,
	{progress, signal: asked}: LongOperation = {},
): Promise<CompleteImage> {
	const fetchPart = async (part: Descriptor, kind: 'manifest' | 'blob', came: (bytes: number) => void = () => {}) => {
		if ((await store.find(factsOf(part))) === undefined) await source.fetch(part, kind, came);
	};
	const manifest = await manifestOf(store, source.where, top, (part) => fetchPart(part, 'manifest'));
	await fetchPart(manifest.config, 'blob');
	const found = await imageOf(store, manifest);
	const layers = [...new Map(found.layers.map((each) => [each.digest, each])).values()];
	const total = layers.reduce((sum, {size}) => sum + size, 0);
	if (total > mostImageBytes)
		throw ociError('OCI_TOO_LARGE', {of: source.where, what: `${total} bytes of layers`, most: mostImageBytes});
	await store.requireRoom(total);
	let done = 0;
	const open = layers.values();
	const failed = new AbortController();
	const signal = AbortSignal.any([failed.signal, ...(asked === undefined ? [] : [asked])]);
	const worker = async () => {
		for (const layer of open) {
			signal.throwIfAborted();
			let here = 0;
			const came = (bytes: number) => {
				signal.throwIfAborted();
				done += bytes - here;
				here = bytes;
				progress?.(done, total);
			};
			await fetchPart(layer, 'blob', came);
			came(layer.size);
		}
	};
	// The first error is the reason of all others.
	await Promise.all(Array.from({length: atOnce}, () => worker().catch((error) => failed.abort(error))));
	signal.throwIfAborted();
	return found;
}

/** Goes from an index to the manifest of machines here. */
async function manifestOf(
	store: ImageStore,
	where: string,
	top: Descriptor,
	fetchPart: (part: Descriptor) => Promise<void>,
): Promise<Manifest & {readonly digest: string}> {
	let part = top;
	for (let depth = 0; depth < mostIndexes; depth++) {
		const of = `The manifest ${part.digest}`;
		if (part.size > mostJsonBytes)
			throw ociError('OCI_TOO_LARGE', {of, what: `${part.size} bytes`, most: mostJsonBytes});
		await fetchPart(part);
		const found = parseManifest(of, await store.read(part), part.mediaType || undefined);
		if (found.kind === 'manifest') return {...found, digest: part.digest};
		part = forPlatform(found);
	}
	throw ociError('OCI_JSON_INVALID', {of: where, what: `more than ${mostIndexes} indexes lie within each other`});
}

/** An image of which nothing is fetched. @throws VmmError OCI_BLOB_MISSING where a part of it is not in the cache */
export async function storedImage(store: ImageStore, digest: string): Promise<CompleteImage> {
	const of = `The manifest ${digest}`;
	const bytes = await store.readAny(digest, mostJsonBytes);
	const manifest = parseManifest(of, bytes, undefined);
	if (manifest.kind === 'index') throw ociError('OCI_JSON_INVALID', {of, what: 'it is an index'});
	return imageOf(store, {...manifest, digest});
}

async function imageOf(store: ImageStore, manifest: Manifest & {readonly digest: string}): Promise<CompleteImage> {
	const {config, layers, digest} = manifest;
	const of = `The configuration ${config.digest}`;
	const parsed = parseConfig(of, await store.read(config));
	if (parsed.diffIds.length !== layers.length)
		throw ociError('OCI_JSON_INVALID', {
			of,
			what: `it tells of ${parsed.diffIds.length} layers, and the manifest of ${layers.length}`,
		});
	return {...parsed, digest, layers, size: layers.reduce((sum, {size}) => sum + size, 0)};
}
