import {createReadStream} from 'node:fs';
import {isHostError} from '#main/file-cache';
import {ociError} from './errors.ts';

const pieceBytes = 2 ** 20;

/**
 * The bytes of a file that an image is in.
 * @param came - told how many of them are read; what it throws ends it
 * @throws VmmError OCI_PATH_UNUSABLE
 */
export async function* filePieces(path: string, came: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
	let done = 0;
	try {
		for await (const piece of createReadStream(path, {highWaterMark: pieceBytes})) {
			done += (piece as Buffer).length;
			came(done);
			yield piece as Uint8Array;
		}
	} catch (error) {
		if (!isHostError(error)) throw error;
		throw ociError('OCI_PATH_UNUSABLE', {path, what: error.message}, {cause: error});
	}
}
