import {createHash, randomUUID} from 'node:crypto';
import {open, rename, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {ImageStore} from './image-store.ts';

/** Bytes that are in the cache now. */
export interface Imported {
	/** `sha256:` and 64 hexadecimal digits. */
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
): Promise<Imported> {
	const partial = join(store.folder, 'partial', `import.${randomUUID()}`);
	const hash = createHash('sha256');
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
		const sha256 = hash.digest('hex');
		const found = {digest: `sha256:${sha256}`, size, start};
		accept(found);
		await rename(partial, store.pathOf({sha256}));
		return found;
	} finally {
		await rm(partial, {force: true});
	}
}
