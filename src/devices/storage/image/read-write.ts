import type {DiskImage, Extent} from './disk-image.ts';

/** Reads a disk's bytes through all of its layers. What is behind its end reads as zeros. */
export async function readImage(image: DiskImage, offset: number, bytes: Uint8Array): Promise<void> {
	const end = Math.min(offset + bytes.length, Math.max(offset, image.sizeBytes));
	bytes.fill(0, end - offset);
	for (let at = offset; at < end; ) {
		for (const extent of await image.map(at, end - at)) {
			await readExtent(image, extent, bytes.subarray(extent.offset - offset, extent.offset - offset + extent.length));
			at = extent.offset + extent.length;
		}
	}
}

/** Reads the bytes of an extent of the image. */
export async function readExtent(image: DiskImage, extent: Extent, bytes: Uint8Array): Promise<void> {
	switch (extent.kind) {
		case 'data':
			return image.file.read(extent.fileOffset, bytes);
		case 'compressed':
			return extent.read(bytes);
		case 'below':
			if (image.below !== undefined) return readImage(image.below, extent.offset, bytes);
			break;
	}
	bytes.fill(0);
}

/** Writes bytes to a disk. @throws as {@link DiskImage.allocate} */
export async function writeImage(image: DiskImage, offset: number, bytes: Uint8Array): Promise<void> {
	const allocation = await image.allocate(offset, bytes.length);
	try {
		for (const {offset: at, length, fileOffset} of allocation.targets)
			await image.file.write(fileOffset, bytes.subarray(at - offset, at - offset + length));
	} catch (error) {
		await allocation.abandon();
		throw error;
	}
	await allocation.finish();
}

/** So many are written at a time: an allocation keeps the places of all its blocks until it is done. */
const mostZeros = 2 ** 20;

/** Writes zeros to a disk. @throws as {@link DiskImage.allocate} */
export async function writeZeros(image: DiskImage, offset: number, length: number): Promise<void> {
	const zeros = new Uint8Array(Math.min(length, mostZeros));
	for (let at = 0; at < length; at += zeros.length)
		await writeImage(image, offset + at, zeros.subarray(0, Math.min(zeros.length, length - at)));
}

/** What a disk reads as over a range: runs of zeros, and runs that may be anything. */
export type Run = {readonly offset: number; readonly length: number; readonly zero: boolean};

/** Runs of a range of a disk, through all of its layers, from `offset` on; zeros that are stored as data count as data. */
export async function* runsOf(image: DiskImage, offset: number, end: number): AsyncGenerator<Run, void> {
	for (let at = offset; at < end; ) {
		if (at >= image.sizeBytes) {
			yield {offset: at, length: end - at, zero: true};
			return;
		}
		for (const extent of await image.map(at, Math.min(end, image.sizeBytes) - at)) {
			at = extent.offset + extent.length;
			if (extent.kind === 'below' && image.below !== undefined) yield* runsOf(image.below, extent.offset, at);
			else
				yield {offset: extent.offset, length: extent.length, zero: extent.kind === 'below' || extent.kind === 'zero'};
		}
	}
}
