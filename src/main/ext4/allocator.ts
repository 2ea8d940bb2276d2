import {ext4Error} from './errors.ts';
import {blockBytes, type Geometry, type Group} from './geometry.ts';

/** Blocks in a row. */
export interface Extent {
	readonly start: number;
	readonly length: number;
}

/** Gives blocks away, one after the other: in each group what is used comes before what is free. */
export class Allocator {
	readonly #geometry: Geometry;
	#group = 0;
	#next: number;

	constructor(geometry: Geometry) {
		this.#geometry = geometry;
		this.#next = (geometry.groups[0] as Group).data;
	}

	/** @throws VmmError EXT4_TOO_SMALL */
	take(count: number): Extent[] {
		const extents: Extent[] = [];
		for (let missing = count; missing > 0; ) {
			const group = this.#geometry.groups[this.#group];
			if (group === undefined) throw this.#full(missing);
			const length = Math.min(missing, group.start + group.length - this.#next);
			if (length === 0) {
				this.#group++;
				this.#next = this.#geometry.groups[this.#group]?.data ?? 0;
				continue;
			}
			extents.push({start: this.#next, length});
			this.#next += length;
			missing -= length;
		}
		return extents;
	}

	/** Blocks of a group that are used, counted from its beginning. */
	used(index: number): number {
		const {start, length, data} = this.#geometry.groups[index] as Group;
		if (index < this.#group) return length;
		return index > this.#group ? data - start : this.#next - start;
	}

	#full(missing: number): Error {
		const sizeBytes = this.#geometry.blocks * blockBytes;
		return ext4Error('EXT4_TOO_SMALL', {sizeBytes, what: 'all files', needed: sizeBytes + missing * blockBytes});
	}
}
