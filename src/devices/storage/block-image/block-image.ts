import {
	type Allocation,
	appendExtent,
	appendTarget,
	type CheckResult,
	type DiskImage,
	type Extent,
	type ImageFacts,
	type ImageFile,
	InFlight,
	mostExtents,
	type Repair,
	type Target,
	Turns,
} from '#devices/storage/image';
import {type SectorBits, sectorBytes} from './sector-bits.ts';

/** What an image has of a block. */
export type BlockState =
	/** Nothing: it is as below. */
	| {readonly kind: 'absent'}
	| {readonly kind: 'zero'}
	/** All of it, from `offset` on in the file. */
	| {readonly kind: 'full'; readonly offset: number}
	/** The sectors whose bits are set; the others are as below. */
	| {readonly kind: 'partial'; readonly offset: number; readonly bits: SectorBits};

/** Of room between blocks so many places are remembered. */
const mostFree = 4096;

/** A block that is written: in a new place, or more of its sectors. */
interface Change {
	readonly block: number;
	readonly offset: number;
	readonly isNew: boolean;
	/** All of the block is there: what is not written reads as zeros. */
	readonly isFull: boolean;
	/** First sector that is written, and the one behind the last. */
	readonly sectors: readonly [number, number];
}

/**
 * An image whose disk is in blocks, each in one piece in the file and listed in a table: VHD and VHDX. A subclass has the tables in memory, and writes
 * them: changes of them wait for a flush, and are written when the data that they lead to are on stable storage.
 */
export abstract class BlockImage implements DiskImage {
	abstract readonly format: string;
	readonly file: ImageFile;
	readonly below: DiskImage | undefined;
	readonly blockBytes: number;
	protected readonly turns = new Turns();
	readonly #inFlight = new InFlight();
	#sizeBytes: number;
	/** Places that no block has any more, when the tables are written. */
	#freed: number[] = [];
	/** Places in the file that no block has. */
	protected free: number[] = [];
	/** What a flush of the file failed with: nobody knows what is on stable storage. */
	#lost: unknown;

	constructor(file: ImageFile, sizeBytes: number, blockBytes: number, below: DiskImage | undefined) {
		this.file = file;
		this.below = below;
		this.blockBytes = blockBytes;
		this.#sizeBytes = sizeBytes;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/** What the image has of a block, as far as writes are finished. @throws VmmError DISK_IMAGE_DAMAGED */
	protected abstract state(block: number): Promise<BlockState>;
	/** Makes room for a block behind all others. @throws VmmError DISK_IMAGE_FULL */
	protected abstract append(): Promise<number>;
	/** Notes room between what has a place, for as many blocks as may be of use: a hostile file has any number of them. */
	protected addRoom(from: number, to: number, unit: number): void {
		for (let at = from; at + unit <= to && this.free.length < mostFree; at += unit)
			this.free.push(at + unit - this.blockBytes);
	}

	/** Gives a block its place, in memory; `written` says which sectors are there, undefined that all are. */
	protected abstract link(block: number, offset: number, written: readonly [number, number] | undefined): Promise<void>;
	/** Notes in memory that a partial block has more sectors. */
	protected abstract addSectors(block: number, bits: SectorBits, written: readonly [number, number]): void;
	/** Has a block read as zeros, in memory, or returns false where the format cannot say so. */
	protected abstract clear(block: number): boolean;
	/** Writes the tables, with a {@link stable} before what leads to new data. */
	protected abstract writeTables(): Promise<void>;
	/** What comes before the first change since it was opened. */
	protected abstract begin(): Promise<void>;
	abstract resize(sizeBytes: number): Promise<void>;
	abstract check(repair?: Repair, progress?: (done: number, total: number) => void): Promise<CheckResult>;
	abstract facts(): ImageFacts;

	async map(offset: number, length: number): Promise<readonly Extent[]> {
		const end = Math.min(offset + length, this.#sizeBytes);
		const extents: Extent[] = [];
		for (let at = offset; at < end && extents.length < mostExtents; ) {
			const block = Math.floor(at / this.blockBytes);
			const start = block * this.blockBytes;
			const stop = Math.min(end, start + this.blockBytes);
			const state = await this.state(block);
			if (state.kind === 'partial') this.#mapPartial(state, start, at, stop, extents);
			else if (state.kind === 'full')
				appendExtent(extents, {kind: 'data', offset: at, length: stop - at, fileOffset: state.offset + at - start});
			else appendExtent(extents, {kind: state.kind === 'zero' ? 'zero' : 'below', offset: at, length: stop - at});
			at = stop;
		}
		return extents;
	}

	#mapPartial(
		{offset, bits}: {offset: number; bits: SectorBits},
		start: number,
		from: number,
		stop: number,
		extents: Extent[],
	): void {
		const lastSector = Math.ceil((stop - start) / sectorBytes);
		for (let at = from; at < stop; ) {
			const sector = Math.floor((at - start) / sectorBytes);
			const runEnd = Math.min(stop, start + bits.runEnd(sector, lastSector) * sectorBytes);
			const piece = {offset: at, length: runEnd - at};
			if (bits.has(sector)) appendExtent(extents, {kind: 'data', ...piece, fileOffset: offset + at - start});
			else appendExtent(extents, {kind: 'below', ...piece});
			at = runEnd;
		}
	}

	async allocate(offset: number, length: number): Promise<Allocation> {
		if (offset + length > this.#sizeBytes)
			throw new RangeError(`${offset} + ${length} is beyond a disk of ${this.#sizeBytes}`);
		if (offset % sectorBytes !== 0 || length % sectorBytes !== 0)
			throw new RangeError(`${offset} + ${length} is not in whole sectors`);
		const first = Math.floor(offset / this.blockBytes);
		const last = Math.floor((offset + Math.max(length, 1) - 1) / this.blockBytes);
		for (;;) {
			await this.#inFlight.waitFor(first, last);
			const done = await this.turns.run(async () =>
				this.#inFlight.waitFor(first, last) === undefined ? this.#allocateNow(offset, length, first, last) : undefined,
			);
			if (done !== undefined) return done;
		}
	}

	async #allocateNow(offset: number, length: number, first: number, last: number): Promise<Allocation> {
		await this.beginChange();
		const targets: Target[] = [];
		const changes: Change[] = [];
		const undo = () => {
			for (const {offset: place, isNew} of changes) if (isNew) this.free.push(place);
		};
		try {
			for (let block = first; length > 0 && block <= last; block++) {
				const base = block * this.blockBytes;
				const start = Math.max(offset, base);
				const end = Math.min(offset + length, base + this.blockBytes);
				const place = await this.#place(block, start - base, end - base, changes);
				appendTarget(targets, {offset: start, length: end - start, fileOffset: place + start - base});
			}
		} catch (error) {
			undo();
			throw error;
		}
		if (changes.length === 0) return {targets, finish: async () => {}, abandon: async () => {}};
		const done = this.#inFlight.begin(changes.filter(({isNew}) => isNew).map(({block}) => block));
		return {
			targets,
			finish: () => this.turns.run(() => this.#finish(changes)).finally(done),
			abandon: () => this.turns.run(async () => undo()).finally(done),
		};
	}

	/** Where a block is that gets bytes from `start` to `end` of it. */
	async #place(block: number, start: number, end: number, changes: Change[]): Promise<number> {
		const state = await this.state(block);
		const sectors = [start / sectorBytes, end / sectorBytes] as const;
		if (state.kind === 'full') return state.offset;
		if (state.kind === 'partial') {
			const {offset, bits} = state;
			const isThere = bits.has(sectors[0]) && bits.runEnd(...sectors) === sectors[1];
			if (!isThere) changes.push({block, offset, isNew: false, isFull: false, sectors});
			return offset;
		}
		const isFull = state.kind === 'zero' || this.below === undefined || end - start === this.blockBytes;
		const offset = await this.#take();
		changes.push({block, offset, isNew: true, isFull, sectors});
		return offset;
	}

	/** A place for a block, which reads as zeros. */
	async #take(): Promise<number> {
		const offset = this.free.at(-1);
		if (offset === undefined) return this.append();
		await this.blank(offset);
		this.free.pop();
		return offset;
	}

	/** Makes a place read as zeros that a block had. */
	protected async blank(offset: number): Promise<void> {
		await this.file.punch(offset, this.blockBytes);
	}

	async #finish(changes: readonly Change[]): Promise<void> {
		for (const {block, offset, isNew, isFull, sectors} of changes) {
			if (isNew) {
				await this.link(block, offset, isFull ? undefined : sectors);
				continue;
			}
			const state = await this.state(block);
			if (state.kind === 'partial') this.addSectors(block, state.bits, sectors);
		}
	}

	async zero(offset: number, length: number): Promise<void> {
		await this.#clearRange(offset, length, true);
	}

	async discard(offset: number, length: number): Promise<void> {
		// Sectors are whole.
		const start = Math.ceil(offset / sectorBytes) * sectorBytes;
		const end = Math.floor((offset + length) / sectorBytes) * sectorBytes;
		if (end > start) await this.#clearRange(start, end - start, false);
	}

	/** @param exact - also what takes room to be zeros */
	async #clearRange(offset: number, length: number, exact: boolean): Promise<void> {
		const end = Math.min(offset + length, this.#sizeBytes);
		for (let at = offset; at < end; ) {
			const block = Math.floor(at / this.blockBytes);
			const base = block * this.blockBytes;
			const stop = Math.min(end, base + this.blockBytes);
			const isWhole = at === base && (stop === base + this.blockBytes || stop === this.#sizeBytes);
			await this.#inFlight.waitFor(block, block);
			const done = await this.turns.run(async () => {
				if (this.#inFlight.waitFor(block, block) !== undefined) return false;
				await this.beginChange();
				return (isWhole && (await this.#clearBlock(block))) || this.#punch(at, stop);
			});
			if (done === false) continue;
			if (exact) await this.#writeZeros(at, stop);
			at = stop;
		}
	}

	async #clearBlock(block: number): Promise<boolean> {
		const state = await this.state(block);
		if (state.kind === 'zero' || (state.kind === 'absent' && this.below === undefined)) return true;
		if (!this.clear(block)) return false;
		if (state.kind !== 'absent') this.#freed.push(state.offset);
		return true;
	}

	/** Makes zeros of what the image has of a part of a block, in place. */
	async #punch(start: number, end: number): Promise<true> {
		for (let at = start; at < end; )
			for (const extent of await this.map(at, end - at)) {
				if (extent.kind === 'data') await this.file.punch(extent.fileOffset, extent.length);
				at = extent.offset + extent.length;
			}
		return true;
	}

	/** Writes zeros over what is below. */
	async #writeZeros(start: number, end: number): Promise<void> {
		if (this.below === undefined) return;
		for (let at = start; at < end; )
			for (const extent of await this.map(at, end - at)) {
				at = extent.offset + extent.length;
				if (extent.kind !== 'below') continue;
				const allocation = await this.allocate(extent.offset, extent.length);
				for (const {fileOffset, length} of allocation.targets) await this.#writeZerosTo(fileOffset, length);
				await allocation.finish();
			}
	}

	async #writeZerosTo(fileOffset: number, length: number): Promise<void> {
		const zeros = new Uint8Array(Math.min(length, 2 ** 18));
		for (let at = 0; at < length; at += zeros.length)
			await this.file.write(fileOffset + at, zeros.subarray(0, Math.min(zeros.length, length - at)));
	}

	async flush(): Promise<void> {
		await this.turns.run(() => this.sync());
	}

	/** Brings the file up to date. */
	protected async sync(): Promise<void> {
		if (!this.file.writable) return;
		await this.writeTables();
		await this.stable();
		const freed = this.#freed;
		this.#freed = [];
		// Nothing on stable storage leads there any more.
		for (const offset of freed) {
			await this.blank(offset);
			this.free.push(offset);
		}
	}

	/** Resolves when all that was written is on stable storage. */
	protected async stable(): Promise<void> {
		try {
			await this.file.flush();
		} catch (error) {
			this.#lost = error;
			throw error;
		}
	}

	#hasBegun = false;

	/** Before a change. */
	protected async beginChange(): Promise<void> {
		if (this.#lost !== undefined) throw this.#lost;
		if (this.#hasBegun) return;
		await this.begin();
		this.#hasBegun = true;
	}

	/** The disk has another size from now on. */
	protected setSize(sizeBytes: number): void {
		this.#sizeBytes = sizeBytes;
	}

	async close(): Promise<void> {
		try {
			await this.flush();
		} finally {
			await this.file.close();
		}
	}
}
