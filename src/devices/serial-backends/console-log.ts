import {closeSync, fstatSync, openSync, renameSync, writeSync} from 'node:fs';

/** Bytes of one file of a log: what is over begins the next one, and the last but one goes. */
export const consoleLogBytes = 512 * 1024;

/** Name of the file that was the log until the last one began. */
export const olderLog = (path: string): string => `${path}.1`;

/** One piece of a console's output: a line of JSON in the log's file. */
export interface ConsoleLogPiece {
	/** Milliseconds since 1970. */
	readonly at: number;
	/** Each byte as the character of its number. */
	readonly bytes: string;
}

/** Reads a line of a log; undefined for one that is none. */
export function parseLogPiece(line: string): ConsoleLogPiece | undefined {
	try {
		const {at, bytes} = JSON.parse(line);
		return typeof at === 'number' && typeof bytes === 'string' ? {at, bytes} : undefined;
	} catch {
		return undefined;
	}
}

/**
 * What a console has shown last, and when, in two files of bounded size: others follow it while it grows. A host that does not take
 * it costs the log, not the console. It is written at once: the folder is the user's runtime directory, which is in RAM.
 */
export class ConsoleLog {
	readonly #path: string;
	#fd = -1;
	#size = 0;
	#hasFailed = false;

	constructor(path: string) {
		this.#path = path;
	}

	append(bytes: Uint8Array, at = Date.now()): void {
		if (bytes.length === 0 || this.#hasFailed) return;
		const {buffer, byteOffset, length} = bytes;
		const text = Buffer.from(buffer, byteOffset, length).toString('latin1');
		const line = Buffer.from(`${JSON.stringify({at, bytes: text} satisfies ConsoleLogPiece)}\n`);
		try {
			if (this.#size > 0 && this.#size + line.length > consoleLogBytes) this.#rotate();
			this.#open();
			writeSync(this.#fd, line);
			this.#size += line.length;
		} catch {
			this.#hasFailed = true;
			this.close();
		}
	}

	close(): void {
		if (this.#fd >= 0) closeSync(this.#fd);
		this.#fd = -1;
	}

	#open(): void {
		if (this.#fd >= 0) return;
		this.#fd = openSync(this.#path, 'a', 0o600);
		this.#size = fstatSync(this.#fd).size;
	}

	#rotate(): void {
		this.close();
		renameSync(this.#path, olderLog(this.#path));
	}
}
