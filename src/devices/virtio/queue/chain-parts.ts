import type {IoVectors} from '#devices/guest-memory';
import type {Chain} from './chain.ts';

/** Part of what a chain has to be read, for whoever is to see nothing else of it: offsets are the part's own, and what is not within it is refused (false). */
export class ReadablePart {
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

/** The same of what it has to be written. */
export class WritablePart {
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
