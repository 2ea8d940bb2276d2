import type {GuestMemory, MemoryRange} from './guest-memory.ts';

/** A piece of guest RAM and the shared buffer behind it: plain data that structured clone can copy. */
export interface MappedRange extends MemoryRange {
	readonly buffer: SharedArrayBuffer;
	/** Where the range starts in the buffer. */
	readonly bufferOffset: number;
	/** Host address of the range's first byte, valid on every thread of the process. */
	readonly hostAddress: bigint;
}

interface Piece extends MappedRange {
	readonly end: number;
	readonly bytes: Uint8Array;
	readonly view: DataView;
}

/** {@link GuestMemory} over shared buffers. One object per thread; all see the same bytes. */
export class MappedMemory implements GuestMemory {
	readonly ranges: readonly MemoryRange[];
	readonly #pieces: readonly Piece[];

	/** @param ranges - ascending, not overlapping */
	constructor(ranges: readonly MappedRange[]) {
		this.ranges = ranges.map(({gpa, length}) => ({gpa, length}));
		this.#pieces = ranges.map((range) => ({
			...range,
			end: range.gpa + range.length,
			bytes: new Uint8Array(range.buffer, range.bufferOffset, range.length),
			view: new DataView(range.buffer, range.bufferOffset, range.length),
		}));
	}

	contains(gpa: number, length: number): boolean {
		return this.#each(gpa, length, () => {});
	}

	read(gpa: number, target: Uint8Array): boolean {
		return this.#each(gpa, target.length, (bytes, start) => target.set(bytes, start));
	}

	write(gpa: number, source: Uint8Array): boolean {
		return this.#each(gpa, source.length, (bytes, start) => bytes.set(source.subarray(start, start + bytes.length)));
	}

	fill(gpa: number, length: number, value: number): boolean {
		return this.#each(gpa, length, (bytes) => bytes.fill(value));
	}

	readInteger(gpa: number, size: 1 | 2 | 4): number | undefined {
		const piece = this.#pieceAt(gpa, size);
		if (piece === undefined) return this.#readSplit(gpa, size);
		const offset = gpa - piece.gpa;
		if (size === 1) return piece.view.getUint8(offset);
		return size === 2 ? piece.view.getUint16(offset, true) : piece.view.getUint32(offset, true);
	}

	writeInteger(gpa: number, size: 1 | 2 | 4, value: number): boolean {
		const piece = this.#pieceAt(gpa, size);
		if (piece === undefined) return this.#writeSplit(gpa, size, value);
		const offset = gpa - piece.gpa;
		if (size === 1) piece.view.setUint8(offset, value);
		else if (size === 2) piece.view.setUint16(offset, value, true);
		else piece.view.setUint32(offset, value, true);
		return true;
	}

	hostAddress(gpa: number, length: number): bigint | undefined {
		const piece = this.#pieceAt(gpa, length);
		return piece === undefined ? undefined : piece.hostAddress + BigInt(gpa - piece.gpa);
	}

	/** The piece that holds the whole access, if one does. */
	#pieceAt(gpa: number, length: number): Piece | undefined {
		if (!Number.isSafeInteger(gpa) || gpa < 0) return undefined;
		return this.#pieces.find((piece) => gpa >= piece.gpa && gpa + length <= piece.end);
	}

	/** Calls `action` for the parts of an access that adjoining pieces hold; only when all of it is RAM. */
	#each(gpa: number, length: number, action: (bytes: Uint8Array, start: number) => void): boolean {
		if (!Number.isSafeInteger(gpa) || gpa < 0) return false;
		const parts: [Uint8Array, number][] = [];
		let done = 0;
		for (const piece of this.#pieces) {
			const at = gpa + done;
			if (done === length) break;
			if (at < piece.gpa || at >= piece.end) continue;
			const count = Math.min(length - done, piece.end - at);
			parts.push([piece.bytes.subarray(at - piece.gpa, at - piece.gpa + count), done]);
			done += count;
		}
		if (done < length) return false;
		for (const [bytes, start] of parts) action(bytes, start);
		return true;
	}

	#readSplit(gpa: number, size: 2 | 4 | 1): number | undefined {
		const bytes = new Uint8Array(4);
		if (!this.read(gpa, bytes.subarray(0, size))) return undefined;
		return new DataView(bytes.buffer).getUint32(0, true);
	}

	#writeSplit(gpa: number, size: 1 | 2 | 4, value: number): boolean {
		const bytes = new Uint8Array(4);
		new DataView(bytes.buffer).setUint32(0, value, true);
		return this.write(gpa, bytes.subarray(0, size));
	}
}
