import {type DiskImage, readImage, runsOf, writeImage} from '#devices/storage/image';
import type {LongOperation} from '#support/abort';

/** So much is read at a time, and so many times at once. */
const chunkBytes = 2 ** 20;
const atOnce = 4;
/** Zeros in such a unit, and all around it, are left out. */
const unitBytes = 4096;
const zeros = Buffer.alloc(unitBytes);

/** How a disk is copied. */
interface Copying extends LongOperation {
	/** Blocks of the target are compressed, where that takes less room. */
	readonly compresses?: boolean;
}

/** Copies a disk onto one that reads as zeros and is no smaller. Zeros are not written, wherever they come from. */
export async function copyDisk(
	from: DiskImage,
	to: DiskImage,
	{progress, signal, compresses = false}: Copying,
): Promise<void> {
	const total = from.sizeBytes;
	// What is compressed is a whole block, wherever the runs of the source end.
	const unit = compresses ? to.blockBytes : 1;
	const mostBytes = Math.max(chunkBytes, unit);
	const copyPart = compresses ? compressChunk : copyChunk;
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
			const stop = zero ? 0 : Math.min(total, Math.ceil((offset + length) / unit) * unit);
			for (let at = Math.max(done, Math.floor(offset / unit) * unit); at < stop && failure === undefined; at = done) {
				signal?.throwIfAborted();
				// Chunks end where the blocks of most formats do.
				done = Math.min(stop, (Math.floor(at / mostBytes) + 1) * mostBytes);
				await start(copyPart(from, to, at, done - at));
				progress?.(done, total);
			}
			if (failure !== undefined) break;
			done = Math.max(done, offset + length);
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

/** Of whole blocks of the target, or what it has of its last one. */
async function compressChunk(from: DiskImage, to: DiskImage, offset: number, length: number): Promise<void> {
	for (let at = offset; at < offset + length; at += to.blockBytes) {
		const bytes = new Uint8Array(Math.min(to.blockBytes, to.sizeBytes - at));
		await readImage(from, at, bytes);
		if (skip(bytes, 0, true) >= bytes.length) continue;
		if (!(await to.writeCompressed?.(at, bytes))) await writeImage(to, at, bytes);
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
