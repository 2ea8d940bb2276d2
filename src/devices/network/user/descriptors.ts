import {readdirSync, readFileSync, statSync} from 'node:fs';
import {processCount} from '#support/shared-memory';

/** What the process may have, and has. */
export interface OpenFiles {
	readonly limit: number;
	readonly open: number;
}

/** A part of the limit that is the process's own, and most of that: for snapshots, captures, commands. */
const [ownPart, mostOwn] = [4, 512];
/** The last part of what guests may have is for those networks that have less than their even share. */
const lastPart = 4;
/** A look is good for so much of what is left, since networks on other threads look too, and for so long, in milliseconds. */
const [part, freshMs] = [16, 1000];
/** Who has used a look up waits so long for the next: sockets that were begun have descriptors by then. */
const nextLookMs = 10;

const ownOf = (limit: number): number => Math.min(mostOwn, Math.ceil(limit / ownPart));

/** Networks of this process that have guests, on whatever thread. */
const networkCount = () => processCount('networks that have guests');
/** Has the threads that this one starts from now on count with it. */
export const shareNetworkCount = (): void => void networkCount();

/**
 * Descriptors that a network's guests may have. A process has so many (RLIMIT_NOFILE): guests, which open as many sockets as they want, are not to
 * take those that it needs itself, nor those of one network all.
 */
export class Descriptors {
	/** All that guests of one network may ever have, as the limit is now. */
	readonly most: number;
	readonly #look: () => OpenFiles;
	readonly #nowMs: () => number;
	readonly #networks = networkCount();
	#used: () => number = () => 0;
	#left = 0;
	#lookedMs = Number.NEGATIVE_INFINITY;

	constructor(look: () => OpenFiles = processFiles, nowMs: () => number = () => performance.now()) {
		this.#look = look;
		this.#nowMs = nowMs;
		const {limit} = look();
		this.most = Math.max(1, limit - ownOf(limit));
	}

	/** The network has guests. @param used - descriptors that they have, more or less */
	enter(used: () => number): void {
		this.#used = used;
		Atomics.add(this.#networks, 0, 1);
	}

	/** It has none any more. */
	leave(): void {
		Atomics.sub(this.#networks, 0, 1);
	}

	/** True where there is one more; it is taken, and given back by being closed. */
	take(): boolean {
		const ageMs = this.#nowMs() - this.#lookedMs;
		if (ageMs >= freshMs || (this.#left < 1 && ageMs >= nextLookMs)) {
			this.#left = Math.ceil(this.#free() / part);
			this.#lookedMs = this.#nowMs();
		}
		if (this.#left < 1) return false;
		this.#left--;
		return true;
	}

	/** What there is for this network now. A network that comes later is to find something: the shares are even with one more. */
	#free(): number {
		const {limit, open} = this.#look();
		const most = limit - ownOf(limit);
		const isBelowShare = this.#used() < most / (Atomics.load(this.#networks, 0) + 1);
		return most - open - (isBelowShare ? 0 : Math.ceil(most / lastPart));
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
