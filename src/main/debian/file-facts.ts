import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';

/** What a file is, as lists of packages and manifests of images tell it. */
export interface FileFacts {
	readonly bytes: number;
	/** SHA-256 in 64 hexadecimal digits, or SHA-512 in 128. */
	readonly checksum: string;
}

/** How a checksum is made. */
export type ChecksumAlgorithm = 'sha256' | 'sha512';

/** The algorithm of a checksum, which its length tells. */
export const algorithmOf = (checksum: string): ChecksumAlgorithm => (checksum.length === 128 ? 'sha512' : 'sha256');

/** Reads a file of the host and tells what it is; undefined where there is none. */
export async function readFileFacts(
	path: string,
	algorithm: ChecksumAlgorithm = 'sha256',
): Promise<FileFacts | undefined> {
	const hash = createHash(algorithm);
	let bytes = 0;
	try {
		for await (const piece of createReadStream(path)) {
			bytes += (piece as Buffer).length;
			hash.update(piece as Buffer);
		}
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
		throw error;
	}
	return {bytes, checksum: hash.digest('hex')};
}
