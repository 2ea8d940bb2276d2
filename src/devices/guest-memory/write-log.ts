import type {MappedMemory} from './mapped-memory.ts';
import type {MemoryRange} from './memory-range.ts';

/** Called for runs of whole pages. */
export type PageVisitor = (gpa: number, length: number) => void;

/**
 * Knows which pages the guest's own stores have changed: a partition does, by its dirty log. Several may have it watch
 * at the same time: what one collects is the others' too, by the generations of pages.
 */
export interface DirtySource {
	/** Begins to watch, unless it does. What the guest stores costs it more from now on. @throws VmmError; nobody watches then */
	start(): void;
	/**
	 * Calls `visit` for the pages that the guest has stored to since the last call or {@link start}, perhaps for some more, and
	 * watches them anew.
	 */
	collect(visit: PageVisitor): void;
	/**
	 * A generation of pages has begun. Where the guest's stores mark their pages themselves, and not each one: from the end of this call
	 * on the first one to a page marks it anew.
	 */
	advanced?(): void;
	/** Takes a {@link start} back; the last one ends watching. */
	stop(): void;
}

/**
 * Tells what has been written to guest RAM, by whomever: to those who copy memory of a running machine, or only what has changed. Our
 * own writers mark pages as they write; the guest's stores are asked for, so that one counts at the next {@link checkpoint}.
 *
 * ```ts
 * const log = new WriteLog(memory, partition.dirty);
 * let since = log.checkpoint();
 * copyAll(range);
 * while (guestRuns()) {
 * 	const next = log.checkpoint();
 * 	log.writtenAfter(since, range, copy);
 * 	since = next;
 * }
 * log.close();
 * ```
 */
export class WriteLog {
	readonly #memory: MappedMemory;
	readonly #guest: DirtySource;

	constructor(memory: MappedMemory, guest: DirtySource) {
		this.#memory = memory;
		this.#guest = guest;
		guest.start();
	}

	/**
	 * Ends a generation. A write that was complete before is in it or in an earlier one; one that is complete later is in a later
	 * one, or in both when it was under way.
	 * @returns its number, for {@link writtenAfter}
	 */
	checkpoint(): number {
		this.#guest.collect((gpa, length) => this.#memory.markWritten(gpa, length));
		const ended = this.#memory.advanceGeneration();
		this.#guest.advanced?.();
		return ended;
	}

	/**
	 * Calls `visit` for the pages of a range that were written after a generation, up to now for our own writers and up to the last
	 * checkpoint for the guest. The cost goes with the pages written and one word per 2 MiB of the range. Of a generation
	 * 2^30 checkpoints ago or more, every page is visited.
	 */
	writtenAfter(generation: number, {gpa, length}: MemoryRange, visit: PageVisitor): void {
		this.#memory.writtenAfter(generation, gpa, length, visit);
	}

	/** Ends the recording of what the guest writes, as far as nobody else has a log. */
	close(): void {
		this.#guest.stop();
	}
}
