import {stat} from 'node:fs/promises';
import {formatOf} from '#devices/storage/image-formats';
import {addHostFolder, FileTree} from '#main/file-tree';
import {abortable, type OperationSignal} from '#support/abort';
import {isVmmError} from '#support/errors';
import {checkRange} from '#support/options';
import {compressionOf} from './archive.ts';
import {inCache, ociError} from './errors.ts';
import {type FoundImage, findImage} from './find-image.ts';
import {emptyConfig, type ImageConfig} from './image-config.ts';
import {parseImageName} from './image-name.ts';
import {factsOf, ImageStore} from './image-store.ts';
import {type LayerFile, rootKey, rootOfLayers, rootOfTree} from './root-disk.ts';

/** Parts of the work of opening an image, in their order: each is told of in bytes. */
export type OpenStep = 'resolve' | 'download' | 'unpack' | 'write';

/** An image as a person names it, and what may be done to get it. */
export interface ImageRequest {
	/**
	 * A disk, a folder, an archive or a reference on a registry. Without a prefix the name tells which: what begins with `/`, `./`, `../` or
	 * `~/`, or ends as a disk's or an archive's does, is a path, and everything else a reference. Prefixes state it: `raw:`, `qcow2:`,
	 * `vhd:` and `vhdx:` (a disk), `folder:`, `tar:` (a root file system), `archive:` (of images), `oci:` (a folder of the OCI image
	 * layout), `docker://` (a reference). Of several images in an archive or a layout `#NAME` behind the path takes one.
	 */
	readonly image: string;
	/** Whether a folder is the machine's root itself, by a shared folder, or is copied into a disk. @default 'copy' */
	readonly folder?: 'share' | 'copy';
	/** Free space of a root that is made, in bytes. It takes nothing on the host until it is used. @default 4 GiB */
	readonly freeBytes?: number;
	/** Whether a registry is asked: where the cache has no such name, always, or never. @default 'missing' */
	readonly pull?: 'missing' | 'always' | 'never';
	/** Plain HTTP to the registry; without it to addresses of this host alone. */
	readonly plainHttp?: boolean;
	/** Who the registry is told that this is; without it as `~/.docker/config.json`, or the helper program that it names, has it. */
	readonly credentials?: {readonly user: string; readonly password: string};
	/** Folder of images; without it one below the user's caches. */
	readonly cache?: string;
}

/** What goes on meanwhile. */
export interface OpenOperation {
	readonly progress?: ((step: OpenStep, done: number, total: number) => void) | undefined;
	readonly signal?: OperationSignal | undefined;
}

/** An image that a machine can have as its root. */
export type OpenedImage =
	/** A disk as it is, in a format that its name or its prefix tells: it is the user's, and nobody knows what is on it. */
	| {readonly kind: 'disk'; readonly path: string; readonly format: string}
	/** A folder of the host, to be shared with the machine. */
	| {readonly kind: 'folder'; readonly path: string; readonly config: ImageConfig}
	/**
	 * An ext4 file system in a raw file, which any number of machines share: nobody writes to it, so each has a layer of its own over it
	 * (`memdiff:file:PATH`). The file stays until it is removed from the cache, and a machine that has it open keeps it.
	 */
	| {
			readonly kind: 'root';
			readonly path: string;
			readonly sizeBytes: number;
			/** What the root was made of: `sha256:` and 64 hexadecimal digits. */
			readonly digest: string;
			readonly config: ImageConfig;
	  };

const usualFreeBytes = 2 ** 32;
/** What ext4 without 64-bit numbers of blocks has. */
const mostFreeBytes = 2 ** 43;

/**
 * Makes an image ready to be a machine's root: fetches what is missing, and converts it once. Nothing is unpacked to the host's file
 * system, and nothing of it needs a right.
 * @throws VmmError OCI_*, REGISTRY_*, DISK_FORMAT_*, TREE_*, EXT4_*, CONFIG_NUMBER_RANGE; OPERATION_ABORTED where the signal asks for it
 */
export async function openImage(request: ImageRequest, operation: OpenOperation = {}): Promise<OpenedImage> {
	const {progress = () => {}, signal} = operation;
	const {freeBytes = usualFreeBytes} = request;
	const problem = checkRange(freeBytes, 'freeBytes', 0, mostFreeBytes);
	if (problem !== undefined) throw problem;
	const asked = parseImageName(request.image);
	const work = {freeBytes, progress, signal};
	const open = async (): Promise<OpenedImage> => {
		switch (asked.kind) {
			case 'disk':
				return {kind: 'disk', path: asked.path, format: formatOf(asked.path, asked.format)};
			case 'folder':
			case 'path': {
				await requireFolder(asked.path, asked.kind === 'folder');
				if (request.folder === 'share') return {kind: 'folder', path: asked.path, config: emptyConfig};
				const store = await ImageStore.open(request.cache);
				const {digest, root} = await rootOfFolder(store, asked.path, work);
				return {kind: 'root', ...root, digest, config: emptyConfig};
			}
			default: {
				const store = await ImageStore.open(request.cache);
				const options = {...request, pull: request.pull ?? 'missing', progress, signal};
				const found = await findImage(store, asked, options);
				return rootOfFound(store, found, work).catch(async (error) => {
					const mayAsk = asked.kind !== 'reference' || options.pull !== 'never';
					if (!mayAsk || !isVmmError(error, 'OCI_BLOB_MISSING')) throw error;
					// A part of the cache is damaged, or somebody has taken it away since: the image may be had once more.
					return rootOfFound(store, await findImage(store, asked, {...options, pull: 'always'}), work);
				});
			}
		}
	};
	return inCache(() => abortable('image', signal, open));
}

interface Work {
	readonly freeBytes: number;
	readonly progress: (step: OpenStep, done: number, total: number) => void;
	readonly signal: AbortSignal | undefined;
}

async function rootOfFound(store: ImageStore, found: FoundImage, work: Work): Promise<OpenedImage> {
	if (found.kind === 'tar') {
		const {path, digest, size} = found;
		const layer = {path, digest, size, compression: compressionOf(path), diffId: undefined};
		const root = await rootOfLayers(store, async () => [layer], rootKey([digest]), work);
		return {kind: 'root', ...root, digest, config: emptyConfig};
	}
	const {digest, layers, diffIds, config} = found.image;
	const files = async (): Promise<LayerFile[]> => {
		const paths = await Promise.all(layers.map((layer) => store.find(factsOf(layer))));
		return layers.map((layer, index) => {
			const path = paths[index];
			if (path === undefined) throw ociError('OCI_BLOB_MISSING', {digest: layer.digest, where: 'The cache of images'});
			return {...layer, path, diffId: diffIds[index]};
		});
	};
	const key = rootKey(layers.map((layer) => layer.digest));
	return {kind: 'root', ...(await rootOfLayers(store, files, key, work)), digest, config};
}

/** The tree of a folder has to be read to know whether its root is there. */
async function rootOfFolder(store: ImageStore, path: string, work: Work) {
	const tree = new FileTree(0);
	let read = 0;
	const digest = await addHostFolder(tree, path, (bytes) => {
		work.signal?.throwIfAborted();
		read += bytes;
		work.progress('unpack', read, 0);
	});
	const root = await rootOfTree(store, ['folder', digest], work, async () => tree);
	return {digest, root};
}

/** @param isStated - whether somebody has said that it is a folder */
async function requireFolder(path: string, isStated: boolean): Promise<void> {
	const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
		const what = error.code === 'ENOENT' ? 'there is none' : `${error.code}`;
		throw ociError('OCI_PATH_UNUSABLE', {path, what});
	});
	if (!found.isDirectory()) {
		if (isStated) throw ociError('OCI_PATH_UNUSABLE', {path, what: 'it is no folder'});
		throw ociError('OCI_KIND_UNSTATED', {path, what: 'it is a file whose name ends as no disk and no archive does'});
	}
	// A machine that has had this folder as its root may have put that file there.
	const hasLayout = await stat(`${path}/oci-layout`).then(
		() => true,
		() => false,
	);
	if (hasLayout && !isStated)
		throw ociError('OCI_KIND_UNSTATED', {
			path,
			what: 'it may be a root file system or a folder of the OCI image layout',
		});
}
