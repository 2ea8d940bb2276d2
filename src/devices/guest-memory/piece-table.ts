import type {MappedRange, MemoryHandle} from './memory-range.ts';
import {agingSpan, PageClock} from './page-clock.ts';
import {PageWatch} from './page-watch.ts';
import {Piece, pieceBytes} from './piece.ts';

/**
 * Finds memory that is no RAM, as a BAR's is, by an address in it: where it lies now, the same object as long as it lies there.
 */
export type MemoryFinder = (gpa: number) => MappedRange | undefined;

/** All of a machine's RAM as one thread has it, and where in it, or in other memory, an address is. */
export class PieceTable {
	readonly clock: PageClock;
	readonly #watch: PageWatch | undefined;
	#pieces: readonly Piece[] = [];
	#last: Piece | undefined;
	#generation = 0;
	#findOther: MemoryFinder | undefined;
	/** Pieces of memory that is no RAM. */
	readonly #others = new WeakMap<MappedRange, readonly Piece[]>();

	constructor({
		ranges,
		clock,
		watch,
	}: Pick<MemoryHandle, 'ranges' | 'watch'> & {readonly clock: SharedArrayBuffer | PageClock}) {
		this.#watch = watch && new PageWatch(watch);
		this.clock = clock instanceof PageClock ? clock : new PageClock(clock);
		this.change(ranges);
	}

	/** Looks for memory by this from now on, where there is no RAM. */
	followOther(find: MemoryFinder): void {
		this.#findOther = find;
	}

	get pieces(): readonly Piece[] {
		return this.#pieces;
	}

	/** Counts the changes: what was looked up before another one may be no longer so. */
	get generation(): number {
		return this.#generation;
	}

	/** Ends a generation of writes. @returns its number */
	advance(): number {
		const ended = this.clock.advance();
		if (ended % agingSpan === 0) for (const {stamps} of this.#pieces) stamps.age(ended);
		return ended;
	}

	change(ranges: readonly MappedRange[]): void {
		const kept = (range: MappedRange) =>
			this.#pieces.filter(
				(piece) =>
					piece.range.gpa === range.gpa &&
					piece.range.length === range.length &&
					piece.range.hostAddress === range.hostAddress,
			);
		this.#pieces = ranges.flatMap((range) => {
			const pieces = kept(range);
			return pieces.length > 0 ? pieces : Piece.of(range, this.clock, this.#watch);
		});
		this.#last = this.#pieces[0];
		this.#generation++;
	}

	/** The piece that holds all of an access, or undefined: it may lie in several, or nowhere. */
	whole(gpa: number, length: number): Piece | undefined {
		const last = this.#last;
		if (last !== undefined) {
			// An offset that is not whole, or not in the piece's reach, is not the same as 32 bits.
			const at = gpa - last.gpa;
			if ((at | 0) === at && at >= 0 && at + length <= last.length) return last;
		}
		const piece = this.at(gpa);
		return piece !== undefined && gpa - piece.gpa + length <= piece.length ? piece : undefined;
	}

	/** The piece that holds the byte at an address. Where there are both, it is RAM's. */
	at(gpa: number): Piece | undefined {
		return this.ram(gpa) ?? this.#otherAt(gpa);
	}

	/** The piece of RAM that holds the byte at an address. */
	ram(gpa: number): Piece | undefined {
		let [low, high] = [0, this.#pieces.length - 1];
		while (low <= high) {
			const middle = (low + high) >>> 1;
			const piece = this.#pieces[middle] as Piece;
			const at = gpa - piece.gpa;
			if (at < 0) high = middle - 1;
			else if (at >= piece.length) low = middle + 1;
			else if ((at | 0) === at) {
				this.#last = piece;
				return piece;
			} else return undefined;
		}
		return undefined;
	}

	/** Tells whether all of a range is memory, in however many pieces. */
	contains(gpa: number, length: number, isRam = false): boolean {
		if (!(length > 0)) return length === 0 && Number.isSafeInteger(gpa) && gpa >= 0;
		for (let done = 0; done < length; ) {
			const piece = isRam ? this.ram(gpa + done) : this.at(gpa + done);
			if (piece === undefined) return false;
			done += piece.end - (gpa + done);
		}
		return true;
	}

	#otherAt(gpa: number): Piece | undefined {
		const range = Number.isSafeInteger(gpa) ? this.#findOther?.(gpa) : undefined;
		// The BAR may move while it is looked for.
		if (range === undefined || gpa < range.gpa || gpa >= range.gpa + range.length) return undefined;
		const pieces = this.#others.get(range) ?? Piece.of(range, this.clock);
		this.#others.set(range, pieces);
		return pieces[Math.floor((gpa - range.gpa) / pieceBytes)];
	}
}
