import type {DiskImage} from '../disk-image.ts';
import {readImage, writeImage} from '../read-write.ts';

function next(state: number): number {
	let mixed = state;
	mixed ^= mixed << 13;
	mixed ^= mixed >>> 17;
	return mixed ^ (mixed << 5);
}

/** Random numbers from a seed (xorshift32): `below(n)` is a whole number from 0 to n - 1. */
export class SeededRandom {
	#state: number;

	constructor(seed: number) {
		this.#state = (seed * 0x9e37_79b1 + 1) >>> 0 || 1;
	}

	below(limit: number): number {
		this.#state = next(this.#state);
		return (this.#state >>> 0) % Math.max(1, limit);
	}

	bytes(length: number): Uint8Array {
		const words = new Uint32Array(Math.ceil(length / 4));
		let state = this.#state;
		for (let i = 0; i < words.length; i++) {
			state = next(state);
			words[i] = state;
		}
		this.#state = state;
		return new Uint8Array(words.buffer, 0, length);
	}
}

/** A disk beside a plain buffer that has the same done to it. */
export class ModelDisk {
	readonly image: DiskImage;
	readonly random: SeededRandom;
	/** What the disk is to read as. */
	expected: Uint8Array;
	/** What was done, for messages. */
	readonly log: string[] = [];

	constructor(image: DiskImage, random: SeededRandom, expected: Uint8Array = new Uint8Array(image.sizeBytes)) {
		this.image = image;
		this.random = random;
		this.expected = expected;
	}

	#range(): [offset: number, length: number] {
		const {random, image} = this;
		const offset = random.below(image.sizeBytes / 512) * 512;
		const most = random.below(4) === 0 ? 40 : 6;
		const length = Math.min(
			image.sizeBytes - offset,
			(1 + random.below(most)) * Math.min(image.blockBytes * 0.5, 2 ** 17),
		);
		return [offset, Math.max(512, Math.floor(length / 512) * 512)];
	}

	/** Does something that a guest may do. `discards` false: its contents afterwards are not zeros. */
	async step({resizes = false}: {resizes?: boolean} = {}): Promise<void> {
		const {image, random, log} = this;
		const what = random.below(resizes ? 22 : 20);
		const [offset, length] = this.#range();
		if (what < 11) {
			const bytes = random.bytes(length);
			log.push(`write ${offset} ${length}`);
			await writeImage(image, offset, bytes);
			this.expected.set(bytes, offset);
		} else if (what < 14) {
			log.push(`zero ${offset} ${length}`);
			await image.zero(offset, length);
			this.expected.fill(0, offset, offset + length);
		} else if (what < 16) {
			log.push(`discard ${offset} ${length}`);
			await image.discard(offset, length);
			// A part of a block stays, and the format may keep what it cannot say.
			await readImage(image, offset, this.expected.subarray(offset, offset + length));
		} else if (what < 18) {
			log.push('flush');
			await image.flush();
		} else if (what < 20) {
			log.push(`both ${offset} ${length}`);
			await this.#overlapping(offset, length);
		} else {
			const size = Math.max(1, random.below(this.expected.length / 256)) * 512;
			log.push(`resize ${size}`);
			await image.resize(size);
			const bytes = new Uint8Array(size);
			bytes.set(this.expected.subarray(0, size));
			this.expected = bytes;
		}
	}

	/** Two writes at a time, side by side within a block. */
	async #overlapping(offset: number, length: number): Promise<void> {
		const bytes = this.random.bytes(length);
		const half = Math.floor(length / 1024) * 512;
		await Promise.all([
			writeImage(this.image, offset, bytes.subarray(0, half)),
			writeImage(this.image, offset + half, bytes.subarray(half)),
		]);
		this.expected.set(bytes, offset);
	}

	/** The offset of the first byte that differs; -1 for none. */
	async difference(image: DiskImage = this.image): Promise<number> {
		const bytes = new Uint8Array(this.expected.length);
		await readImage(image, 0, bytes);
		if (Buffer.compare(bytes, this.expected) === 0) return -1;
		return bytes.findIndex((byte, at) => byte !== this.expected[at]);
	}
}
