import {rm} from 'node:fs/promises';
import {dirname} from 'node:path';
import type {Disk} from '#devices/storage/disk';
import {createHostFile} from '#devices/storage/image';
import {ImageDisk} from '#devices/storage/image-disk';
import {createImage, openDisk as openImages, saysFixed} from '#devices/storage/image-formats';
import {errorTable} from '#support/errors';
import type {DiskOpening} from './disk-kind.ts';
import type {FileSource, ImageFormat} from './disk-source.ts';

const imageDiskError = errorTable({
	DISK_FORMAT_WORKERS: (c: {path: string; format: string; workers: number}) => ({
		message: `The disk ${c.path} is in the format ${c.format}, whose tables one thread has, and its device is to have ${c.workers} workers`,
		remedy: 'Leave out workers, have it only read, or convert it to a raw image',
	}),
	DISK_FORMAT_EMPTY: (c: {path: string; bytes: number}) => ({
		message: `The image ${c.path} has a disk of ${c.bytes} bytes, which is none`,
		remedy: 'Make it larger with openvmm disk resize',
	}),
});

/**
 * Opens a disk that lies in an image of a format, with what that lies over.
 * @throws VmmError DISK_, IO_URING_UNAVAILABLE
 */
export async function openImage(
	{path, create, engine, direct, backingFolders}: FileSource,
	format: ImageFormat,
	{isReadOnly, reactor, worker}: DiskOpening,
): Promise<Disk> {
	// Those that only read have an image each.
	if (worker.count > 1 && !(isReadOnly && create === undefined))
		throw imageDiskError('DISK_FORMAT_WORKERS', {path, format, workers: worker.count});
	if (create !== undefined) await make(path, format, create);
	try {
		const folders = backingFolders && [dirname(path), ...backingFolders];
		const {image, files, close: closeImages} = await openImages(path, {format, writable: !isReadOnly, folders});
		const disk = await ImageDisk.open({image, files, closeImages, reactor, engine, direct});
		if (disk.bytes > 0) return disk;
		await disk.close();
		throw imageDiskError('DISK_FORMAT_EMPTY', {path, bytes: image.sizeBytes});
	} catch (cause) {
		// It was made for nothing.
		if (create !== undefined) await rm(path, {force: true});
		throw cause;
	}
}

async function make(path: string, format: ImageFormat, sizeBytes: number): Promise<void> {
	const file = await createHostFile(path);
	try {
		await createImage(format, file, {sizeBytes, fixed: saysFixed(path, format)});
	} catch (cause) {
		await rm(path, {force: true});
		throw cause;
	} finally {
		await file.close();
	}
}
