import type {GuestMemory} from './guest-memory.ts';
import {GuestWindow} from './guest-window.ts';
import type {DmaDirection, IoVectors} from './io-vectors.ts';
import type {MappedRange} from './memory-range.ts';
import type {PageClock} from './page-clock.ts';
import type {Piece} from './piece.ts';
import {type MemoryGate, PieceAccess} from './piece-access.ts';
import {type MemoryFinder, PieceTable} from './piece-table.ts';

/** {@link GuestMemory} over shared memory. One table of pieces per thread; all threads see the same bytes. */
export class MappedMemory extends PieceAccess implements GuestMemory {
	/**
	 * Follows the machine to memory that has come or gone, for this thread and all that share its table. Each thread of the machine
	 * does so; then the host memory of a range that has gone can be given back, once nobody has it pinned.
	 * @param ranges - all ranges of now, ascending, not overlapping
	 */
	change(ranges: readonly MappedRange[]): void {
		this.table.change(ranges);
	}

	/** Memory of somebody else's, on the same clock: addresses are those of the range. */
	own(range: MappedRange): MappedMemory {
		return new MappedMemory(new PieceTable({ranges: [range], clock: this.table.clock}));
	}

	/** Reaches other memory from now on where there is no RAM, for this thread and all that share its table. */
	followOther(find: MemoryFinder): void {
		this.table.followOther(find);
	}

	/** Ranges of RAM, ascending. */
	get ranges(): readonly MappedRange[] {
		return [...new Set(this.table.pieces.map(({range}) => range))];
	}

	/** The clock of all page generations. */
	get clock(): PageClock {
		return this.table.clock;
	}

	/** @internal Ends a generation of writes; see `WriteLog`. */
	advanceGeneration(): number {
		return this.table.advance();
	}

	/** @internal Marks pages that somebody else has written. Where there is no RAM nothing happens. */
	markWritten(gpa: number, length: number): void {
		this.#eachPart(gpa, length, (piece, at, count) => piece.stamps.mark(at, count));
	}

	/** @internal See `WriteLog`. */
	writtenAfter(generation: number, gpa: number, length: number, visit: (gpa: number, length: number) => void): void {
		this.#eachPart(gpa, length, (piece, at, count) => piece.writtenAfter(generation, at, count, visit));
	}

	behind(gate: MemoryGate): MappedMemory {
		const outer = this.gate;
		const both = outer && {
			get isOpen() {
				return outer.isOpen && gate.isOpen;
			},
		};
		return new MappedMemory(this.table, both ?? gate);
	}

	mapped(gpa: number, length: number, alignment = 1): GuestWindow | undefined {
		if (gpa % alignment !== 0 || !this.isOpen || !this.table.contains(gpa, length, true)) return undefined;
		return new GuestWindow(this, gpa, length, this.table.whole(gpa, length));
	}

	pin(gpa: number, length: number, direction: DmaDirection, vectors: IoVectors): boolean {
		// Mostly it is one piece of RAM, which stays where it is.
		const ram = this.isOpen && length > 0 ? this.table.ram(gpa) : undefined;
		if (ram !== undefined && gpa - ram.gpa + length <= ram.length)
			return vectors.add(ram, gpa - ram.gpa, length, direction);
		if (!this.contains(gpa, length)) return false;
		const before = vectors.count;
		for (let done = 0; done < length; ) {
			const piece = this.table.at(gpa + done);
			const at = gpa + done - (piece?.gpa ?? 0);
			const count = Math.min(length - done, (piece?.length ?? 0) - at);
			// Without one the guest has moved the BAR that this was memory of.
			if (piece === undefined || !vectors.add(piece, at, count, direction)) {
				vectors.drop(before);
				return false;
			}
			done += count;
		}
		return true;
	}

	discard(gpa: number, length: number, after: 'zeros' | 'anything'): boolean {
		if (!this.isOpen) return false;
		let [found, isDone] = [0, true];
		this.#eachPart(gpa, length, (piece, at, count) => {
			found += count;
			isDone &&= piece.discard(at, count, after);
		});
		return isDone && found === length;
	}

	/** The parts of a range that are RAM; for those who may take their time. */
	#eachPart(gpa: number, length: number, action: (piece: Piece, at: number, count: number) => void): void {
		const end = gpa + length;
		for (const piece of this.table.pieces) {
			const [from, to] = [Math.max(gpa, piece.gpa), Math.min(end, piece.end)];
			if (from < to) action(piece, from - piece.gpa, to - from);
		}
	}
}
