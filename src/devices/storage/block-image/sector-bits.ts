/** Bytes that a bit stands for. */
export const sectorBytes = 512;

/** Which sectors of a block an image has itself: a bit for each. */
export class SectorBits {
	readonly bytes: Uint8Array;
	readonly count: number;
	readonly #highFirst: boolean;

	/** @param highFirst - the first sector of eight has the highest bit of a byte, not the lowest */
	constructor(bytes: Uint8Array, highFirst: boolean) {
		this.bytes = bytes;
		this.count = bytes.length * 8;
		this.#highFirst = highFirst;
	}

	has(sector: number): boolean {
		return ((this.bytes[sector >> 3] ?? 0) & this.#mask(sector)) !== 0;
	}

	/** Sets the bits from `start` up to `end`. */
	set(start: number, end: number): void {
		for (let sector = start; sector < end; sector++) {
			if (sector % 8 === 0 && sector + 8 <= end) {
				this.bytes[sector >> 3] = 0xff;
				sector += 7;
			} else this.bytes[sector >> 3] = (this.bytes[sector >> 3] ?? 0) | this.#mask(sector);
		}
	}

	/** Where a run of equal bits ends that begins at `start`, no later than `end`. */
	runEnd(start: number, end: number): number {
		const value = this.has(start);
		let sector = start + 1;
		while (sector < end) {
			if (sector % 8 === 0 && sector + 8 <= end && this.bytes[sector >> 3] === (value ? 0xff : 0)) sector += 8;
			else if (this.has(sector) === value) sector++;
			else break;
		}
		return sector;
	}

	#mask(sector: number): number {
		return this.#highFirst ? 0x80 >> (sector & 7) : 1 << (sector & 7);
	}
}
