import {createHash} from 'node:crypto';
import {createReadStream} from 'node:fs';

/** What a file is, as lists of packages tell it. */
export interface FileFacts {
	readonly bytes: number;
	/** 64 hexadecimal digits. */
	readonly sha256: string;
}

/** Reads a file of the host and tells what it is; undefined where there is none. */
export async function readFileFacts(path: string): Promise<FileFacts | undefined> {
	const hash = createHash('sha256');
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
	return {bytes, sha256: hash.digest('hex')};
}
