import {type Guest, guest} from '#support/trust';
import type {MemoryHandle} from './memory-range.ts';
import type {Piece} from './piece.ts';
import {PieceTable} from './piece-table.ts';

/** Something that may keep a device from reaching memory at all, as a PCI function's bus-master bit does. */
export interface MemoryGate {
	readonly isOpen: boolean;
}

/** The largest single access. */
const wordBytes = 8;

/** Accesses to guest RAM by address, in however many pieces it lies. See `GuestMemory`. */
export class PieceAccess {
	protected readonly table: PieceTable;
	protected readonly gate: MemoryGate | undefined;
	/** A single access that crosses from one piece into the next, while it is put together. */
	readonly #word = new DataView(new ArrayBuffer(wordBytes));
	readonly #wordBytes = new Uint8Array(this.#word.buffer);

	/** @param source - what every thread is given, or this thread's table of it */
	constructor(source: MemoryHandle | PieceTable, gate?: MemoryGate) {
		this.table = source instanceof PieceTable ? source : new PieceTable(source);
		this.gate = gate;
	}

	/** Counts the changes of memory as this thread sees them. */
	get generation(): number {
		return this.table.generation;
	}

	/** See `GuestMemory`. */
	get isOpen(): boolean {
		return this.gate === undefined || this.gate.isOpen;
	}

	contains(gpa: number, length: number): boolean {
		// Mostly it is where the last access was.
		if (length >= 0 && this.pieceOf(gpa, length) !== undefined) return true;
		return this.isOpen && this.table.contains(gpa, length);
	}

	copyOut(gpa: number, target: Uint8Array, offset = 0, length = target.length - offset): boolean {
		checkFits(target, offset, length);
		const piece = this.pieceOf(gpa, length);
		if (piece === undefined) return this.#copyOutParts(gpa, target, offset, length);
		piece.copyOut(gpa - piece.gpa, target, offset, length);
		return true;
	}

	copyWordsOut(gpa: number, target: Int32Array): boolean {
		const bytes = target.byteLength;
		const piece = (gpa & 3) === 0 ? this.pieceOf(gpa, bytes) : undefined;
		if (piece === undefined) return this.copyOut(gpa, new Uint8Array(target.buffer, target.byteOffset, bytes));
		piece.copyWordsOut(gpa - piece.gpa, target);
		return true;
	}

	copyIn(gpa: number, source: Uint8Array, offset = 0, length = source.length - offset): boolean {
		checkFits(source, offset, length);
		const piece = this.pieceOf(gpa, length);
		if (piece === undefined) return this.#copyInParts(gpa, source, offset, length);
		piece.copyIn(gpa - piece.gpa, source, offset, length);
		return true;
	}

	fill(gpa: number, length: number, value: number): boolean {
		if (!this.contains(gpa, length)) return false;
		for (let done = 0; done < length; ) {
			const piece = this.table.at(gpa + done);
			// The guest has moved the BAR that this was memory of.
			if (piece === undefined) return false;
			const at = gpa + done - piece.gpa;
			const count = Math.min(length - done, piece.length - at);
			piece.fill(at, count, value);
			done += count;
		}
		return true;
	}

	readU8(gpa: number): Guest<number> | undefined {
		const piece = this.pieceOf(gpa, 1);
		return piece && guest(piece.readU8(gpa - piece.gpa));
	}

	readU16(gpa: number): Guest<number> | undefined {
		const piece = this.pieceOf(gpa, 2);
		if (piece !== undefined) return guest(piece.readU16(gpa - piece.gpa));
		return this.#readParts(gpa, 2) ? guest(this.#word.getUint16(0, true)) : undefined;
	}

	readU32(gpa: number): Guest<number> | undefined {
		const piece = this.pieceOf(gpa, 4);
		if (piece !== undefined) return guest(piece.readU32(gpa - piece.gpa));
		return this.#readParts(gpa, 4) ? guest(this.#word.getUint32(0, true)) : undefined;
	}

	readU64(gpa: number): Guest<number> | undefined {
		const piece = this.pieceOf(gpa, 8);
		if (piece !== undefined) return guest(piece.readU64(gpa - piece.gpa));
		return this.#readParts(gpa, 8) ? guest(Number(this.#word.getBigUint64(0, true))) : undefined;
	}

	readBigU64(gpa: number): Guest<bigint> | undefined {
		const piece = this.pieceOf(gpa, 8);
		if (piece !== undefined) return guest(piece.readBigU64(gpa - piece.gpa));
		return this.#readParts(gpa, 8) ? guest(this.#word.getBigUint64(0, true)) : undefined;
	}

	writeU8(gpa: number, value: number): boolean {
		const piece = this.pieceOf(gpa, 1);
		piece?.writeU8(gpa - piece.gpa, value);
		return piece !== undefined;
	}

	writeU16(gpa: number, value: number): boolean {
		const piece = this.pieceOf(gpa, 2);
		if (piece === undefined) {
			this.#word.setUint16(0, value, true);
			return this.#copyInParts(gpa, this.#wordBytes, 0, 2);
		}
		piece.writeU16(gpa - piece.gpa, value);
		return true;
	}

	writeU32(gpa: number, value: number): boolean {
		const piece = this.pieceOf(gpa, 4);
		if (piece === undefined) {
			this.#word.setUint32(0, value, true);
			return this.#copyInParts(gpa, this.#wordBytes, 0, 4);
		}
		piece.writeU32(gpa - piece.gpa, value);
		return true;
	}

	writeU64(gpa: number, value: number): boolean {
		const piece = this.pieceOf(gpa, 8);
		if (piece === undefined) return this.writeBigU64(gpa, BigInt(value));
		piece.writeU64(gpa - piece.gpa, value);
		return true;
	}

	writeBigU64(gpa: number, value: bigint): boolean {
		const piece = this.pieceOf(gpa, 8);
		if (piece === undefined) {
			this.#word.setBigUint64(0, value, true);
			return this.#copyInParts(gpa, this.#wordBytes, 0, 8);
		}
		piece.writeBigU64(gpa - piece.gpa, value);
		return true;
	}

	/** @internal The piece that holds all of an access that the device may make. */
	pieceOf(gpa: number, length: number): Piece | undefined {
		return this.isOpen ? this.table.whole(gpa, length) : undefined;
	}

	#copyOutParts(gpa: number, target: Uint8Array, offset: number, length: number): boolean {
		if (!this.contains(gpa, length)) return false;
		for (let done = 0; done < length; ) {
			const piece = this.table.at(gpa + done);
			// The guest has moved the BAR that this was memory of.
			if (piece === undefined) return false;
			const at = gpa + done - piece.gpa;
			const count = Math.min(length - done, piece.length - at);
			piece.copyOut(at, target, offset + done, count);
			done += count;
		}
		return true;
	}

	#copyInParts(gpa: number, source: Uint8Array, offset: number, length: number): boolean {
		if (!this.contains(gpa, length)) return false;
		for (let done = 0; done < length; ) {
			const piece = this.table.at(gpa + done);
			// The guest has moved the BAR that this was memory of.
			if (piece === undefined) return false;
			const at = gpa + done - piece.gpa;
			const count = Math.min(length - done, piece.length - at);
			piece.copyIn(at, source, offset + done, count);
			done += count;
		}
		return true;
	}

	#readParts(gpa: number, length: number): boolean {
		return this.#copyOutParts(gpa, this.#wordBytes, 0, length);
	}
}

/** Throws where a range does not fit into the array: an error of ours, not of the guest's. */
function checkFits(array: Uint8Array, offset: number, length: number): void {
	if (!(offset >= 0 && length >= 0 && offset + length <= array.length)) {
		throw new RangeError(`no ${length} bytes at ${offset} of ${array.length}`);
	}
}
