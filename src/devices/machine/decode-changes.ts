import {errorTable} from '#support/errors';
import {lock, tryLock, unlock} from '#support/shared-memory';
import {i32, wire} from '#support/wire';

/** How far the back end has followed where devices answer, shared by all threads of a machine. */
export const DecodeState = wire('decode', {
	/** Counts changes. */
	generation: i32,
	/** The last change as of which the back end has everything where it answers. */
	followed: i32,
	/** Held while the back end is told. */
	lock: i32,
	/** 1 when a thread that does not wait has left a change to whoever has the lock. */
	left: i32,
});

const [generationWord, followedWord, lockWord, leftWord] = (['generation', 'followed', 'lock', 'left'] as const).map(
	(name) => DecodeState.word(name),
) as [number, number, number, number];

const decodeError = errorTable({
	DECODE_HANGS: () => ({
		message: 'Another thread does not come back from moving doorbells or memory of devices',
		remedy: 'This is a bug in openvmm or in the kernel: please report it with what the guest did',
	}),
});

/** What follows changes on one thread. */
export interface DecodeFollower {
	/**
	 * Gives the back end what it should have where it answers now, and takes back all else. Called by one thread at a time, whose
	 * devices' locks are free. Undefined where the back end has none of it.
	 */
	readonly follow: (() => void) | undefined;
	/** False for a thread that other machines have too: what it would wait for it leaves to the thread that has it. */
	readonly waits: boolean;
}

/**
 * One thread's part in having the back end follow where devices answer. Telling it takes long and comes by turns, so that it is never done
 * under a device's lock: a change that is made under one is noted, and followed when the thread has let go of all of them.
 */
export class DecodeChanges {
	/** The word that counts changes. */
	readonly generation: Int32Array;
	readonly #words: Int32Array;
	readonly #follower: DecodeFollower;
	/** How many devices' locks the thread holds. */
	#held = 0;
	/** The thread has made a change that it has not followed yet. */
	#isBehind = false;
	/** Its last one. */
	#latest = 0;

	constructor(buffer: SharedArrayBuffer, follower: DecodeFollower) {
		this.#words = DecodeState.on(buffer).$atomic;
		this.generation = this.#words.subarray(generationWord, generationWord + 1);
		this.#follower = follower;
	}

	/** The thread has taken a device's lock. */
	hold(): void {
		this.#held++;
	}

	/** It has given one back. */
	release(): void {
		if (--this.#held === 0 && this.#isBehind) this.#catchUp();
	}

	/**
	 * Says that where devices answer has changed, or what the back end is to have there.
	 * @returns the change's number, for {@link isFollowed}
	 */
	changed(): number {
		this.#latest = (Atomics.add(this.#words, generationWord, 1) + 1) | 0;
		this.#isBehind = true;
		if (this.#held === 0) this.#catchUp();
		return this.#latest;
	}

	/** The back end has what was to be had as of a change, or one after it. */
	isFollowed(change: number): boolean {
		// Numbers begin again after 2^32 changes.
		return ((Atomics.load(this.#words, followedWord) - change) | 0) >= 0;
	}

	#catchUp(): void {
		this.#isBehind = false;
		if (this.#follower.follow === undefined || this.isFollowed(this.#latest) || !this.#take()) return;
		do this.#follow();
		while (Atomics.exchange(this.#words, leftWord, 0) === 1 && this.#takeOrLeave());
	}

	/** False when the change is another thread's to follow. */
	#take(): boolean {
		if (!this.#follower.waits) return this.#takeOrLeave();
		if (!lock(this.#words, lockWord)) throw decodeError('DECODE_HANGS', {});
		return true;
	}

	/** Whoever has the lock between the two looks at it sees what is left when it has let go of it. */
	#takeOrLeave(): boolean {
		if (tryLock(this.#words, lockWord)) return true;
		Atomics.store(this.#words, leftWord, 1);
		return tryLock(this.#words, lockWord);
	}

	/** Gives the lock back. A change that comes meanwhile is followed by who has made it, or is left. */
	#follow(): void {
		try {
			const generation = Atomics.load(this.#words, generationWord);
			if (generation === Atomics.load(this.#words, followedWord)) return;
			this.#follower.follow?.();
			Atomics.store(this.#words, followedWord, generation);
		} finally {
			unlock(this.#words, lockWord);
		}
	}
}
