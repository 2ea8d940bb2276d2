import {type DiskImage, readImage, runsOf, writeImage} from '#devices/storage/image';
import type {LongOperation} from '#support/abort';

/** So much is read at a time, and so many times at once. */
const chunkBytes = 2 ** 20;
const atOnce = 4;
/** Zeros in such a unit, and all around it, are left out. */
const unitBytes = 4096;
const zeros = Buffer.alloc(unitBytes);

/** Copies a disk onto one that reads as zeros and is no smaller. Zeros are not written, wherever they come from. */
export async function copyDisk(from: DiskImage, to: DiskImage, {progress, signal}: LongOperation): Promise<void> {
	const total = from.sizeBytes;
	const running = new Set<Promise<void>>();
	let failure: {readonly error: unknown} | undefined;
	let done = 0;
	const start = async (work: Promise<void>) => {
		const one = work
			.catch((error) => {
				failure ??= {error};
			})
			.finally(() => running.delete(one));
		running.add(one);
		if (running.size >= atOnce) await Promise.race(running);
	};
	try {
		for await (const {offset, length, zero} of runsOf(from, 0, total)) {
			if (!zero)
				for (let at = offset; at < offset + length && failure === undefined; ) {
					signal?.throwIfAborted();
					// Chunks end where the blocks of most formats do.
					const end = Math.min(offset + length, (Math.floor(at / chunkBytes) + 1) * chunkBytes);
					await start(copyChunk(from, to, at, end - at));
					done += end - at;
					progress?.(done, total);
					at = end;
				}
			else done += length;
			if (failure !== undefined) break;
			progress?.(done, total);
		}
	} finally {
		await Promise.all(running);
	}
	if (failure !== undefined) throw failure.error;
}

async function copyChunk(from: DiskImage, to: DiskImage, offset: number, length: number): Promise<void> {
	const bytes = new Uint8Array(length);
	await readImage(from, offset, bytes);
	for (let at = 0; at < length; ) {
		const start = skip(bytes, at, true);
		at = skip(bytes, start, false);
		if (at > start) await writeImage(to, offset + start, bytes.subarray(start, at));
	}
}

/** Where units that are zeros, or are not, end. */
function skip(bytes: Uint8Array, from: number, areZeros: boolean): number {
	let at = from;
	while (at < bytes.length) {
		const unit = bytes.subarray(at, at + unitBytes);
		if ((Buffer.compare(unit, zeros.subarray(0, unit.length)) === 0) !== areZeros) break;
		at += unit.length;
	}
	return at;
}
