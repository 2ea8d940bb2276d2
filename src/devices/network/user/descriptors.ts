import {readdirSync, readFileSync, statSync} from 'node:fs';

/** What the process may have, and has. */
export interface OpenFiles {
	readonly limit: number;
	readonly open: number;
}

/** A part of the limit that is the process's own, and most of that: for snapshots, captures, commands. */
const [ownPart, mostOwn] = [4, 512];
/** A look is good for so much of what is left, since networks on other threads look too, and for so long, in milliseconds. */
const [part, freshMs] = [16, 1000];
/** Who has used a look up waits so long for the next: sockets that were begun have descriptors by then. */
const nextLookMs = 10;

const ownOf = (limit: number): number => Math.min(mostOwn, Math.ceil(limit / ownPart));

/**
 * Descriptors that a network's guests may have. A process has so many (RLIMIT_NOFILE): guests, which open as many sockets as they want, are not to
 * take those that it needs itself.
 */
export class Descriptors {
	/** All that guests of one network may ever have, as the limit is now. */
	readonly most: number;
	readonly #look: () => OpenFiles;
	readonly #nowMs: () => number;
	#left = 0;
	#lookedMs = Number.NEGATIVE_INFINITY;

	constructor(look: () => OpenFiles = processFiles, nowMs: () => number = () => performance.now()) {
		this.#look = look;
		this.#nowMs = nowMs;
		const {limit} = look();
		this.most = Math.max(1, limit - ownOf(limit));
	}

	/** True where there is one more; it is taken, and given back by being closed. */
	take(): boolean {
		const ageMs = this.#nowMs() - this.#lookedMs;
		if (ageMs >= freshMs || (this.#left < 1 && ageMs >= nextLookMs)) {
			const {limit, open} = this.#look();
			this.#left = Math.ceil((limit - ownOf(limit) - open) / part);
			this.#lookedMs = this.#nowMs();
		}
		if (this.#left < 1) return false;
		this.#left--;
		return true;
	}
}

const folder = '/proc/self/fd';

/** As proc(5) tells it; a file system without it has no limit that one could know of. */
function processFiles(): OpenFiles {
	try {
		const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
		// Linux tells their number since 6.2; before that it is 0.
		const open = statSync(folder).size || readdirSync(folder).length;
		return {limit: limit === undefined ? Number.POSITIVE_INFINITY : Number(limit), open};
	} catch {
		return {limit: Number.POSITIVE_INFINITY, open: 0};
	}
}
