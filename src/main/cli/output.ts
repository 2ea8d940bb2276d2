import {closeSync, constants, fstatSync, openSync, writeSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';
import {errnoName, sendNow} from '#support/ffi';

/** Longest wait for a reader that has not read. */
const longestWaitMs = 20;

/**
 * Standard output or error, for what may be more than its reader takes: meanwhile this thread hears of signals and of ends. A pipe or a terminal that
 * keeps its writers waiting is opened anew such that it does not, and a socket is asked each time; the other processes that have it see nothing of that.
 */
export class Output {
	readonly #fd: number;
	readonly #isOwn: boolean;
	readonly #isSocket: boolean;

	constructor(fd: 1 | 2) {
		const anew = openAnew(fd);
		this.#isSocket = isSocket(fd);
		this.#fd = anew ?? fd;
		this.#isOwn = anew !== undefined;
	}

	/** Resolves when all of it is written. @returns why the rest was not, by the name of its errno: EPIPE where nobody reads any more */
	async write(bytes: Uint8Array): Promise<string | undefined> {
		let rest = bytes;
		let waitMs = 1;
		while (rest.length > 0) {
			const written = this.#writeNow(rest);
			if (typeof written === 'number') {
				rest = rest.subarray(written);
				waitMs = 1;
			} else if (written === 'EAGAIN') {
				await sleep(waitMs);
				waitMs = Math.min(2 * waitMs, longestWaitMs);
			} else return written;
		}
		return undefined;
	}

	/** @returns how many bytes, or the name of an errno */
	#writeNow(bytes: Uint8Array): number | string {
		if (this.#isSocket) {
			const sent = sendNow(this.#fd, bytes);
			return sent < 0 ? errnoName(sent) : sent;
		}
		try {
			return writeSync(this.#fd, bytes);
		} catch (error) {
			return (error as NodeJS.ErrnoException).code ?? String(error);
		}
	}

	close(): void {
		if (this.#isOwn) closeSync(this.#fd);
	}
}

function isSocket(fd: number): boolean {
	try {
		return fstatSync(fd).isSocket();
	} catch {
		// It is closed, which writing tells.
		return false;
	}
}

/** The same pipe or terminal, by an open file of its own; files have a position that belongs to it, and sockets cannot be opened. */
function openAnew(fd: number): number | undefined {
	try {
		const status = fstatSync(fd);
		if (!status.isFIFO() && !status.isCharacterDevice()) return undefined;
		return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
	} catch {
		// It is closed, or belongs to another user.
		return undefined;
	}
}
