import {createGunzip, createZstdDecompress} from 'node:zlib';
import type {ArchiveFault} from './errors.ts';
import {zlibFault} from './zlib.ts';

/** Formats of archives that are too large to be in memory. */
export type StreamFormat = 'gzip' | 'zstd';

const chunkSize = 2 ** 18;

/**
 * Decompresses what comes piece by piece, all members or frames of it, one after the other, as builders of images write them that make
 * parts of a layer readable alone. Without a limit: whoever takes the pieces stops when it has enough.
 */
export async function* decompressStream(
	pieces: AsyncIterable<Uint8Array>,
	format: StreamFormat,
	fault: Pick<ArchiveFault, 'truncated' | 'damaged' | 'unsupported'>,
): AsyncGenerator<Uint8Array, void> {
	const source = pieces[Symbol.asyncIterator]();
	let left: Uint8Array | undefined;
	try {
		for (;;) {
			const first: IteratorResult<Uint8Array> = left === undefined ? await source.next() : {value: left, done: false};
			if (first.done === true) return;
			left = yield* oneStream(first.value, source, format, fault);
		}
	} finally {
		await source.return?.();
	}
}

/** Decompresses until a decompressor says that its archive has ended. @returns what it has not taken */
async function* oneStream(
	first: Uint8Array,
	source: AsyncIterator<Uint8Array>,
	format: StreamFormat,
	fault: Pick<ArchiveFault, 'truncated' | 'damaged' | 'unsupported'>,
): AsyncGenerator<Uint8Array, Uint8Array | undefined> {
	const stream = format === 'gzip' ? createGunzip({chunkSize}) : createZstdDecompress({chunkSize});
	// One that comes after the end of an archive is about what follows it: the next decompressor has it again.
	stream.on('error', () => {});
	// A write may end with its stream alone.
	const closed = new Promise<false>((resolve) => stream.once('close', () => resolve(false)));
	let fed = 0;
	let last: Uint8Array = first;
	const feeding = async () => {
		for (let piece: Uint8Array | undefined = first; piece !== undefined; ) {
			last = piece;
			fed += piece.length;
			const written = new Promise<boolean>((resolve) => {
				stream.write(piece, (error) => resolve(error === null || error === undefined));
			});
			// Where an archive ends within a piece, the rest of it is not taken, and that is no error.
			if (!(await Promise.race([written, closed])) || stream.bytesWritten < fed) return;
			const next: IteratorResult<Uint8Array> = await source.next();
			piece = next.done === true ? undefined : next.value;
		}
		stream.end();
	};
	const fedAll = feeding();
	fedAll.catch((error) => stream.destroy(error));
	try {
		for await (const chunk of stream) yield chunk as Uint8Array;
		stream.destroy();
		await fedAll;
	} catch (error) {
		throw zlibFault(error, fault);
	} finally {
		stream.destroy();
	}
	const rest = fed - stream.bytesWritten;
	return rest > 0 ? last.subarray(last.length - rest) : undefined;
}
