import type {IoVectors} from '#devices/guest-memory';

/**
 * Bytes of a guest's that a write moves to a folder. A folder on the host pins them for its system call; another one copies them into a buffer of
 * its own. The memory may go (false): then the answer is -EFAULT.
 */
export interface BytesFromGuest {
	readonly length: number;
	/** Copies `length` of them, from `offset` on, to `targetOffset` in `target`; as many as it has room for without the last two. */
	read(offset: number, target: Uint8Array, targetOffset?: number, length?: number): boolean;
	/**
	 * Adds the host's memory under `length` of them to a list, which is released before the answer is given.
	 * @returns false, and nothing added, where the list is full or the memory has gone
	 */
	pin(vectors: IoVectors, offset: number, length: number): boolean;
}

/** Room of a guest's that a read fills from its first byte on; else as {@link BytesFromGuest}. */
export interface BytesToGuest {
	readonly length: number;
	/** Copies `length` bytes of `source`, from `sourceOffset` on, to `offset`. */
	write(offset: number, source: Uint8Array, sourceOffset?: number, length?: number): boolean;
	pin(vectors: IoVectors, offset: number, length: number): boolean;
}
