import type {IoVectors} from '#devices/guest-memory';
import type {Chain} from './chain.ts';

/** Part of a chain, for whoever is to see nothing else of it: offsets are the part's own, and what is not within it is refused (false). */
abstract class ChainPart {
	readonly length: number;
	protected readonly chain: Chain;
	protected readonly start: number;

	constructor(chain: Chain, start: number, length: number) {
		this.chain = chain;
		this.start = start;
		this.length = length;
	}

	protected has(offset: number, length: number): boolean {
		return offset >= 0 && offset + length <= this.length;
	}
}

/** Part of what a chain has to be read. */
export class ReadablePart extends ChainPart {
	read(offset: number, target: Uint8Array, targetOffset = 0, length = target.length - targetOffset): boolean {
		return this.has(offset, length) && this.chain.read(this.start + offset, target, targetOffset, length);
	}

	pin(vectors: IoVectors, offset: number, length: number): boolean {
		return this.has(offset, length) && this.chain.pin('read', vectors, this.start + offset, length);
	}
}

/** The same of what it has to be written. */
export class WritablePart extends ChainPart {
	write(offset: number, source: Uint8Array, sourceOffset = 0, length = source.length - sourceOffset): boolean {
		return this.has(offset, length) && this.chain.write(this.start + offset, source, sourceOffset, length);
	}

	pin(vectors: IoVectors, offset: number, length: number): boolean {
		return this.has(offset, length) && this.chain.pin('write', vectors, this.start + offset, length);
	}
}
