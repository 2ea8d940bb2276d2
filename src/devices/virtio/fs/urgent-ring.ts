/** Words of a message: a node and how often it is forgotten, or a request and 0 for one that is interrupted. */
const messageWords = 2;
/** Messages that there is room for. */
export const urgentRoom = 8192;
const headerBytes = 64;
const [headWord, tailWord, heldWord] = [0, 1, 2];

/**
 * What the guest says in its urgent queue, on its way from the worker that has this queue to the one that has the folder: a ring in memory that both
 * share, and that snapshots have. Its indices count up to 2^32 and may be anybody's after a restore.
 */
export class UrgentRing {
	static readonly bytes: number = headerBytes + urgentRoom * messageWords * 8;
	readonly #indices: Int32Array;
	readonly #messages: BigUint64Array;

	constructor(memory: SharedArrayBuffer, offset: number) {
		this.#indices = new Int32Array(memory, offset, headerBytes / 4);
		this.#messages = new BigUint64Array(memory, offset + headerBytes, urgentRoom * messageWords);
	}

	/** Messages that may be put now. */
	get room(): number {
		return urgentRoom - this.#used;
	}

	/** There is not the room for what the guest has said: who takes tells when there is more. */
	hold(): void {
		Atomics.store(this.#indices, heldWord, 1);
	}

	/** There is room again for somebody who waits. */
	takeHeld(): boolean {
		return Atomics.exchange(this.#indices, heldWord, 0) !== 0;
	}

	/** Puts a message; there is the room. */
	put(subject: bigint, count: bigint): void {
		const tail = Atomics.load(this.#indices, tailWord);
		const at = (tail & (urgentRoom - 1)) * messageWords;
		this.#messages[at] = subject;
		this.#messages[at + 1] = count;
		Atomics.store(this.#indices, tailWord, tail + 1);
	}

	/** Takes all messages that are there. */
	takeAll(take: (subject: bigint, count: bigint) => void): void {
		let head = Atomics.load(this.#indices, headWord);
		for (let left = this.#used; left > 0; left--, head = (head + 1) | 0) {
			const at = (head & (urgentRoom - 1)) * messageWords;
			take(this.#messages[at] as bigint, this.#messages[at + 1] as bigint);
		}
		Atomics.store(this.#indices, headWord, head);
	}

	clear(): void {
		Atomics.store(this.#indices, headWord, Atomics.load(this.#indices, tailWord));
	}

	get #used(): number {
		const [head, tail] = [Atomics.load(this.#indices, headWord), Atomics.load(this.#indices, tailWord)];
		return Math.min((tail - head) >>> 0, urgentRoom);
	}
}
