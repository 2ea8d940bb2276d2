import type {Guest} from '#support/trust';
import type {GuestMemory} from './guest-memory.ts';
import type {GuestWindow} from './guest-window.ts';
import type {DmaDirection, IoVectors} from './io-vectors.ts';
import type {MemoryGate} from './piece-access.ts';

/** An address that no memory has. */
const nowhere = -1;

/** A part of some memory as memory of its own: addresses are offsets in it, and nothing else of the whole is reached. */
export class MemoryPart implements GuestMemory {
	readonly #whole: GuestMemory;
	readonly #start: number;
	readonly #length: number;

	/** @param start - where in the whole the part begins */
	constructor(whole: GuestMemory, start: number, length: number) {
		this.#whole = whole;
		this.#start = start;
		this.#length = length;
	}

	get isOpen(): boolean {
		return this.#whole.isOpen;
	}

	contains(gpa: number, length: number): boolean {
		return this.#whole.contains(this.#at(gpa, length), length);
	}

	copyOut(gpa: number, target: Uint8Array, offset = 0, length = target.length - offset): boolean {
		return this.#whole.copyOut(this.#at(gpa, length), target, offset, length);
	}

	copyWordsOut(gpa: number, target: Int32Array): boolean {
		return this.#whole.copyWordsOut(this.#at(gpa, target.byteLength), target);
	}

	copyIn(gpa: number, source: Uint8Array, offset = 0, length = source.length - offset): boolean {
		return this.#whole.copyIn(this.#at(gpa, length), source, offset, length);
	}

	fill(gpa: number, length: number, value: number): boolean {
		return this.#whole.fill(this.#at(gpa, length), length, value);
	}

	readU8(gpa: number): Guest<number> | undefined {
		return this.#whole.readU8(this.#at(gpa, 1));
	}

	readU16(gpa: number): Guest<number> | undefined {
		return this.#whole.readU16(this.#at(gpa, 2));
	}

	readU32(gpa: number): Guest<number> | undefined {
		return this.#whole.readU32(this.#at(gpa, 4));
	}

	readU64(gpa: number): Guest<number> | undefined {
		return this.#whole.readU64(this.#at(gpa, 8));
	}

	readBigU64(gpa: number): Guest<bigint> | undefined {
		return this.#whole.readBigU64(this.#at(gpa, 8));
	}

	writeU8(gpa: number, value: number): boolean {
		return this.#whole.writeU8(this.#at(gpa, 1), value);
	}

	writeU16(gpa: number, value: number): boolean {
		return this.#whole.writeU16(this.#at(gpa, 2), value);
	}

	writeU32(gpa: number, value: number): boolean {
		return this.#whole.writeU32(this.#at(gpa, 4), value);
	}

	writeU64(gpa: number, value: number): boolean {
		return this.#whole.writeU64(this.#at(gpa, 8), value);
	}

	writeBigU64(gpa: number, value: bigint): boolean {
		return this.#whole.writeBigU64(this.#at(gpa, 8), value);
	}

	mapped(gpa: number, length: number, alignment?: number): GuestWindow | undefined {
		return this.#whole.mapped(this.#at(gpa, length), length, alignment);
	}

	pin(gpa: number, length: number, direction: DmaDirection, vectors: IoVectors): boolean {
		return this.#whole.pin(this.#at(gpa, length), length, direction, vectors);
	}

	discard(gpa: number, length: number, after: 'zeros' | 'anything'): boolean {
		return this.#whole.discard(this.#at(gpa, length), length, after);
	}

	behind(gate: MemoryGate): MemoryPart {
		return new MemoryPart(this.#whole.behind(gate), this.#start, this.#length);
	}

	#at(gpa: number, length: number): number {
		return gpa >= 0 && gpa + length <= this.#length ? this.#start + gpa : nowhere;
	}
}
