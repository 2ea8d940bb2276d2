import {open, readlink, realpath} from 'node:fs/promises';
import {dirname, resolve, sep} from 'node:path';
import {type BackingReference, type DiskImage, type HostImageFile, openHostFile} from '#devices/storage/image';
import {errnoOf, OAt, openPath} from '#support/ffi';
import {diskError} from './errors.ts';
import {formatOf, formats} from './formats.ts';

/** An image lies over no more images than this. */
const mostLayers = 256;

/** How an image and what it lies over are opened. */
export interface OpenDisk {
	/** Stated format; without it the path says it. */
	readonly format?: string | undefined;
	/** Opens the image itself to be written; the others are only read. */
	readonly writable: boolean;
	/** Opens the image below it to be written too. */
	readonly belowWritable?: boolean | undefined;
	/** Folders in which the images below may be, those within them included. The image's own folder without them. */
	readonly folders?: readonly string[] | undefined;
	/** False: what it lies over stays closed, and may be missing. */
	readonly layers?: boolean | undefined;
}

/** An image with what it lies over. */
export interface OpenedDisk {
	readonly image: DiskImage;
	/** All files, that of the image first. */
	readonly files: readonly HostImageFile[];
	/** What the image says that it lies over. */
	readonly backing: BackingReference | undefined;
	/** Flushes and closes all. */
	close(): Promise<void>;
}

/**
 * Opens an image and all that it lies over.
 * @throws VmmError DISK_FORMAT_*, DISK_LAYER_*, DISK_LAYERS_*, DISK_IMAGE_*
 */
export async function openDisk(path: string, options: OpenDisk): Promise<OpenedDisk> {
	const {writable, belowWritable = false, layers = true} = options;
	const format = formatOf(path, options.format);
	const allowed = await Promise.all(
		(options.folders ?? [dirname(path)]).map((folder) => reached(realpath(folder), path, folder)),
	);
	const files: HostImageFile[] = [];
	const images: DiskImage[] = [];
	const close = async () => {
		// The image itself goes first: what it lies over stays the same until then.
		const closed: PromiseSettledResult<void>[] = [];
		for (const image of images.toReversed()) closed.push(...(await Promise.allSettled([image.close()])));
		const failed = closed.find((each) => each.status === 'rejected');
		if (failed !== undefined) throw failed.reason;
	};
	try {
		const file = await openHostFile(path, {writable});
		files.push(file);
		const seen = new Set([await file.identity()]);
		const begun = [await formats[format].begin(file)];
		for (let top = begun[0]; layers && top?.backing !== undefined; top = begun.at(-1)) {
			if (files.length > mostLayers) throw diskError('DISK_LAYERS_TOO_MANY', {path, most: mostLayers});
			const above = (files.at(-1) as HostImageFile).path;
			const {backing} = top;
			const below = await openBelow(above, backing, allowed, belowWritable && files.length === 1);
			files.push(below);
			// The name says a format that is not stated: what it leads to may have any.
			const belowFormat = formatOf(backing.name, backing.format);
			const identity = await below.identity();
			if (seen.has(identity)) throw diskError('DISK_LAYERS_LOOP', {path: above, name: backing.name});
			seen.add(identity);
			begun.push(await formats[belowFormat].begin(below));
		}
		for (const [depth, one] of [...begun.entries()].toReversed()) {
			const below = images.at(-1);
			const {identities} = one.backing ?? {};
			const {path: above} = files[depth] as HostImageFile;
			// What writes into the image below goes on where it was cut off.
			const isOther = below?.identity !== undefined && identities !== undefined && !identities.includes(below.identity);
			if (isOther && !belowWritable) throw diskError('DISK_LAYER_CHANGED', {path: above, name: below.file.path});
			images.push(await one.open(below));
		}
		return {image: images.at(-1) as DiskImage, files, backing: begun[0]?.backing, close};
	} catch (error) {
		for (const file of files) await file.close();
		throw error;
	}
}

/**
 * Opens the image below. A name is relative to the folder of the image that has it. Who writes a folder on the way may change links
 * meanwhile: so they are followed once, nothing of what they lead to is used, and then that is judged and opened, whatever they lead to by now.
 */
async function openBelow(
	path: string,
	{name}: BackingReference,
	folders: readonly string[],
	writable: boolean,
): Promise<HostImageFile> {
	// What QEMU takes for a protocol, as nbd: or json:, is none of ours.
	if (/^[A-Za-z0-9+.-]+:/.test(name) || name.includes('\0')) throw diskError('DISK_LAYER_REMOTE', {path, name});
	const place = await reached(open(resolve(dirname(path), name), OAt.PATH), path, name);
	try {
		const by = openPath(place.fd);
		const found = await reached(readlink(by), path, name);
		if (!folders.some((folder) => found.startsWith(folder.endsWith(sep) ? folder : folder + sep)))
			throw diskError('DISK_LAYER_OUTSIDE', {path, name, found, folders});
		return await openHostFile(found, {writable, by});
	} finally {
		await place.close();
	}
}

/** What the host says of something that an image names, or that the image itself is in. */
async function reached<T>(found: Promise<T>, path: string, name: string): Promise<T> {
	try {
		return await found;
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw diskError('DISK_LAYER_MISSING', {path, name, errno}, {cause});
	}
}
