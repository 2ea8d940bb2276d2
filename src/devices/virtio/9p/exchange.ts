import type {BytesFromGuest, BytesToGuest} from '#devices/folder';
import type {IoVectors} from '#devices/guest-memory';
import type {Chain} from '#devices/virtio/queue';

/** Part of what a client sends, which is written to a file. */
export class SentBytes implements BytesFromGuest {
	readonly length: number;
	readonly #chain: Chain;
	readonly #start: number;

	constructor(chain: Chain, start: number, length: number) {
		this.#chain = chain;
		this.#start = start;
		this.length = length;
	}

	read(offset: number, target: Uint8Array, targetOffset = 0, length = target.length - targetOffset): boolean {
		if (!(offset >= 0 && offset + length <= this.length)) return false;
		return this.#chain.read(this.#start + offset, target, targetOffset, length);
	}

	pin(vectors: IoVectors, offset: number, length: number): boolean {
		if (!(offset >= 0 && offset + length <= this.length)) return false;
		return this.#chain.pin('read', vectors, this.#start + offset, length);
	}
}

/** Part of a client's buffers, which is filled from a file. */
export class ReplyBytes implements BytesToGuest {
	readonly length: number;
	readonly #chain: Chain;
	readonly #start: number;

	constructor(chain: Chain, start: number, length: number) {
		this.#chain = chain;
		this.#start = start;
		this.length = length;
	}

	write(offset: number, source: Uint8Array, sourceOffset = 0, length = source.length - sourceOffset): boolean {
		if (!(offset >= 0 && offset + length <= this.length)) return false;
		return this.#chain.write(this.#start + offset, source, sourceOffset, length);
	}

	pin(vectors: IoVectors, offset: number, length: number): boolean {
		if (!(offset >= 0 && offset + length <= this.length)) return false;
		return this.#chain.pin('write', vectors, this.#start + offset, length);
	}
}
