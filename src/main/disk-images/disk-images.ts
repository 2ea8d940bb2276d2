import {dirname, resolve} from 'node:path';
import type {BackingReference, CheckResult, DiskImage, ImageFacts, Repair} from '#devices/storage/image';
import {createImage, formatOf, formats, type NewImage, openDisk, saysFixed} from '#devices/storage/image-formats';
import {formatBytes} from '#main/config';
import {abortable, type LongOperation} from '#support/abort';
import {errorTable} from '#support/errors';
import {commitLayer} from './commit.ts';
import {copyDisk} from './copy.ts';
import {makeFile} from './new-file.ts';

/** Errors of what is asked of disk images. */
const diskCommandError = errorTable({
	DISK_SIZE_MISSING: (c: {path: string}) => ({
		message: `No size is given for "${c.path}"`,
		remedy: 'Give one, as 10G, or an image that it lies over (--backing FILE), whose size it then has',
	}),
	DISK_WOULD_SHRINK: (c: {path: string; sizeBytes: number; found: number}) => ({
		message: `The disk of "${c.path}" has ${formatBytes(c.found)}, and would lose what lies behind ${formatBytes(c.sizeBytes)}`,
		remedy: 'Shrink its partitions and file systems first, then add --shrink',
	}),
	DISK_HAS_NO_LAYERS: (c: {path: string}) => ({
		message: `"${c.path}" lies over no other image`,
		remedy: 'Only an image that was made with --backing has something to commit',
	}),
});

/** An image that there is, and what may be opened with it. */
export interface ImagePath {
	readonly path: string;
	/** Stated format; without it the path's ending says it. */
	readonly format?: string | undefined;
	/** Folders in which images below may be; its own without them. */
	readonly folders?: readonly string[] | undefined;
}

/** An image that is to be made. */
export interface WantedImage
	extends Pick<NewImage, 'blockBytes' | 'version' | 'lazyRefcounts' | 'compression' | 'fixed'> {
	readonly path: string;
	readonly format?: string | undefined;
	/** The image that it lies over: a path as a person writes it, which the new image has relative to its own folder. */
	readonly backing?: ImagePath | undefined;
}

/** What is known of an image. */
export interface ImageInfo {
	readonly path: string;
	readonly format: string;
	/** Size of the disk. */
	readonly sizeBytes: number;
	/** What the file takes on the host's disk. */
	readonly allocatedBytes: number;
	readonly blockBytes: number;
	readonly backing: BackingReference | undefined;
	readonly facts: ImageFacts;
}

/**
 * Makes an image without data.
 * @param sizeBytes - that of the image below without it
 * @throws VmmError DISK_*
 */
export async function createDisk(wanted: WantedImage, sizeBytes: number | undefined): Promise<void> {
	const {path} = wanted;
	const format = formatOf(path, wanted.format);
	const below = wanted.backing === undefined ? undefined : await backingOf(wanted, wanted.backing);
	const size = sizeBytes ?? below?.sizeBytes;
	if (size === undefined) throw diskCommandError('DISK_SIZE_MISSING', {path});
	await makeFile(path, async (file) => {
		try {
			const fixed = wanted.fixed || saysFixed(path, format);
			await createImage(format, file, {...wanted, fixed, sizeBytes: size, backing: below?.reference});
		} finally {
			await file.close();
		}
	});
}

/** What a new image says of the one below, which must be there. */
async function backingOf({path}: WantedImage, backing: ImagePath) {
	// The name in the image counts from the image's folder, as QEMU has it.
	const found = resolve(dirname(path), backing.path);
	const belowFormat = formatOf(found, backing.format);
	const disk = await openDisk(found, {...backing, format: belowFormat, writable: false});
	try {
		const {sizeBytes, identity} = disk.image;
		const identities = identity === undefined ? undefined : [identity];
		return {sizeBytes, reference: {name: backing.path, format: belowFormat, identities}};
	} finally {
		await disk.close();
	}
}

/** Looks at an image, not at what it lies over. @throws VmmError DISK_* */
export async function diskInfo({path, format}: ImagePath): Promise<ImageInfo> {
	const {image, files, backing, close} = await openDisk(path, {format, writable: false, layers: false});
	try {
		const allocatedBytes = (await files[0]?.allocatedBytes()) ?? 0;
		const {sizeBytes, blockBytes} = image;
		return {path, format: image.format, sizeBytes, allocatedBytes, blockBytes, backing, facts: image.facts()};
	} finally {
		await close();
	}
}

/** Looks for faults in an image, and puts right what is asked. @throws VmmError DISK_* */
export const checkDisk = (
	{path, format}: ImagePath,
	repair: Repair | undefined,
	{progress, signal}: LongOperation = {},
): Promise<CheckResult> =>
	abortable('check', signal, async () => {
		const {image, close} = await openDisk(path, {format, writable: repair !== undefined, layers: false});
		try {
			return await image.check(repair, (done, total) => {
				signal?.throwIfAborted();
				progress?.(done, total);
			});
		} finally {
			await close();
		}
	});

/** Copies a disk through all of its layers into an image of its own. @throws VmmError DISK_*, OPERATION_ABORTED */
export const convertDisk = (source: ImagePath, wanted: WantedImage, asked: LongOperation = {}): Promise<void> =>
	abortable('convert', asked.signal, async () => {
		const format = formatOf(wanted.path, wanted.format);
		const from = await openDisk(source.path, {...source, writable: false});
		try {
			await makeFile(wanted.path, async (file) => {
				// Raw images may end within a sector.
				const sizeBytes = Math.ceil(from.image.sizeBytes / 512) * 512;
				let to: DiskImage | undefined;
				try {
					const fixed = wanted.fixed || saysFixed(wanted.path, format);
					await createImage(format, file, {...wanted, fixed, sizeBytes, backing: undefined});
					to = await (await formats[format].begin(file)).open(undefined);
					await copyDisk(from.image, to, {...asked, compresses: wanted.compression !== undefined});
				} finally {
					await (to ?? file).close();
				}
			});
		} finally {
			await from.close();
		}
	});

/** How a disk gets another size. */
interface Resizing extends LongOperation {
	/** It may lose what is at its end. From the moment on at which that begins to go it is not given up. */
	readonly shrinks: boolean;
}

/** Changes the size of a disk. @throws VmmError DISK_*, OPERATION_ABORTED */
export const resizeDisk = (at: ImagePath, sizeBytes: number, {shrinks, progress, signal}: Resizing): Promise<void> =>
	abortable('resize', signal, async () => {
		const {image, close} = await openDisk(at.path, {...at, writable: true});
		try {
			const isCut = sizeBytes < image.sizeBytes;
			if (isCut && !shrinks)
				throw diskCommandError('DISK_WOULD_SHRINK', {path: at.path, sizeBytes, found: image.sizeBytes});
			await image.resize(sizeBytes, (done, total) => {
				if (!isCut || done === 0) signal?.throwIfAborted();
				progress?.(done, total);
			});
		} finally {
			await close();
		}
	});

/**
 * Writes what an image has of its own into the one that it lies over. The image stays as it is, and reads as before at every moment; but
 * a differencing VHDX knows that what is below has been written, and is opened from then on to be committed again only.
 * @returns the name of the image below
 * @throws VmmError DISK_*, OPERATION_ABORTED
 */
export const commitDisk = (at: ImagePath, asked: LongOperation = {}): Promise<string> =>
	abortable('commit', asked.signal, async () => {
		const {image, backing, close} = await openDisk(at.path, {...at, writable: true, belowWritable: true});
		try {
			const {below} = image;
			if (below === undefined || backing === undefined) throw diskCommandError('DISK_HAS_NO_LAYERS', {path: at.path});
			await commitLayer(image, below, asked);
			return backing.name;
		} finally {
			await close();
		}
	});
