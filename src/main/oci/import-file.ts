import {createHash, randomUUID} from 'node:crypto';
import {open, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {ChecksumAlgorithm} from '#main/debian';
import {digestOfChecksum} from './digest.ts';
import type {ImageStore} from './image-store.ts';

/** Bytes that are in the cache now. */
export interface Imported {
	/** `sha256:` and 64 hexadecimal digits, or `sha512:` and 128. */
	readonly digest: string;
	readonly size: number;
	/** The first of them, by which archives tell how they are compressed. */
	readonly start: Uint8Array;
}

const startBytes = 8;

/**
 * Copies what comes into the cache, by its checksum.
 * @param accept - throws where the bytes are not those that they have to be; they are not in the cache before
 */
export async function importPieces(
	store: ImageStore,
	pieces: AsyncIterable<Uint8Array>,
	accept: (found: Imported) => void,
	algorithm: ChecksumAlgorithm = 'sha256',
): Promise<Imported> {
	const partial = join(store.folder, 'partial', `import.${randomUUID()}`);
	const hash = createHash(algorithm);
	let size = 0;
	let start = Buffer.alloc(0);
	try {
		await using file = await open(partial, 'wx', 0o600);
		for await (const piece of pieces) {
			hash.update(piece);
			size += piece.length;
			if (start.length < startBytes) start = Buffer.concat([start, piece.subarray(0, startBytes - start.length)]);
			await file.appendFile(piece);
		}
		const checksum = hash.digest('hex');
		const found = {digest: digestOfChecksum(checksum), size, start};
		accept(found);
		await rename(partial, store.pathOf({checksum}));
		return found;
	} finally {
		await rm(partial, {force: true});
	}
}
