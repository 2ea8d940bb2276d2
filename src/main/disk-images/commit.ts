import {type DiskImage, readImage, writeImage} from '#devices/storage/image';
import type {LongOperation} from '#support/abort';

/** So much is read and written at a time. */
const chunkBytes = 2 ** 20;

/**
 * Writes what an image has of its own into the one that it lies over, which gets longer where it has to. What the image reads as is the same at
 * every moment, whatever is cut off: where it has bytes of its own, nobody sees those below.
 */
export async function commitLayer(
	image: DiskImage,
	below: DiskImage,
	{progress, signal}: LongOperation,
): Promise<void> {
	if (below.sizeBytes < image.sizeBytes) await below.resize(image.sizeBytes, () => signal?.throwIfAborted());
	for (let offset = 0; offset < image.sizeBytes; ) {
		for (const extent of await image.map(offset, image.sizeBytes - offset)) {
			const end = extent.offset + extent.length;
			if (extent.kind === 'zero') await below.zero(extent.offset, extent.length);
			else if (extent.kind !== 'below')
				for (let at = extent.offset; at < end; at += chunkBytes) {
					signal?.throwIfAborted();
					const bytes = new Uint8Array(Math.min(chunkBytes, end - at));
					await readImage(image, at, bytes);
					await writeImage(below, at, bytes);
				}
			offset = end;
			progress?.(offset, image.sizeBytes);
		}
	}
	await below.flush();
}
