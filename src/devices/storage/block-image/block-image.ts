import {
	type Allocation,
	appendExtent,
	appendTarget,
	byParts,
	type CheckResult,
	type DiskImage,
	type Extent,
	type ImageFacts,
	type ImageFile,
	InFlight,
	type MappedRun,
	mostExtents,
	type Repair,
	RunKind,
	type RunUse,
	type Target,
	Turns,
	writeZeros,
} from '#devices/storage/image';
import {type SectorBits, sectorBytes} from './sector-bits.ts';

/** What an image has of a block. */
export const BlockKind = {
	/** Nothing: it is as below. */
	ABSENT: 0,
	ZERO: 1,
	/** All of it. */
	FULL: 2,
	/** The sectors whose bits are set; the others are as below. */
	PARTIAL: 3,
	/** That has to be loaded, or is damaged. */
	UNKNOWN: 4,
} as const;
export type BlockKind = (typeof BlockKind)[keyof typeof BlockKind];

/** With so much given back that waits for a flush, there is one before the file grows: not every guest flushes. */
const mostFreedBytes = 2 ** 30;
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
	abstract readonly isDirty: boolean;
	protected readonly turns = new Turns();
	readonly #inFlight = new InFlight();
	#sizeBytes: number;
	/** So far the disk is mapped: beyond its end while it grows. */
	#mappedBytes: number;
	/** Places that no block has any more, when the tables are written. */
	readonly #freed: number[] = [];
	/** Places in the file that no block has. */
	protected free: number[] = [];
	/** What a flush of the file failed with: nobody knows what is on stable storage. */
	#lost: unknown;
	/** It has been changed since it was opened. */
	#hasBegun = false;

	constructor(file: ImageFile, sizeBytes: number, blockBytes: number, below: DiskImage | undefined) {
		this.file = file;
		this.below = below;
		this.blockBytes = blockBytes;
		this.#sizeBytes = sizeBytes;
		this.#mappedBytes = sizeBytes;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	/** What the image has of a block, as far as writes are finished. */
	protected abstract kindOf(block: number): BlockKind;
	/** Where a block is that is full or partial. */
	protected abstract offsetOf(block: number): number;
	/** The bits of a partial block. */
	protected abstract bitsOf(block: number): SectorBits;
	/** Has a block known that is not. @throws VmmError DISK_IMAGE_DAMAGED */
	protected abstract load(block: number): Promise<void>;
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
	/** @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_UNSUPPORTED */
	protected abstract checkNewSize(sizeBytes: number): void;
	/** Gives the table room for another size; blocks behind the old one are not there. All is on stable storage. */
	protected abstract resizeTable(sizeBytes: number): Promise<void>;
	/** Writes another size, and has it on stable storage. */
	protected abstract writeSize(sizeBytes: number): Promise<void>;
	abstract check(repair?: Repair, progress?: (done: number, total: number) => void): Promise<CheckResult>;
	abstract facts(): ImageFacts;

	find(run: MappedRun, length: number, use: RunUse): boolean {
		const {offset} = run;
		if (use === 'write' && !(this.#hasBegun && this.#lost === undefined)) return false;
		const block = Math.floor(offset / this.blockBytes);
		const within = offset - block * this.blockBytes;
		run.length = Math.min(length, this.blockBytes - within);
		switch (this.kindOf(block)) {
			case BlockKind.FULL:
				run.kind = RunKind.DATA;
				break;
			case BlockKind.PARTIAL: {
				const bits = this.bitsOf(block);
				const sector = Math.floor(within / sectorBytes);
				const end = bits.runEnd(sector, Math.ceil((within + run.length) / sectorBytes));
				run.kind = bits.has(sector) ? RunKind.DATA : RunKind.BELOW;
				run.length = Math.min(run.length, end * sectorBytes - within);
				break;
			}
			case BlockKind.ZERO:
				run.kind = RunKind.ZERO;
				break;
			case BlockKind.ABSENT:
				run.kind = RunKind.BELOW;
				break;
			default:
				return false;
		}
		if (run.kind === RunKind.DATA) run.fileOffset = this.offsetOf(block) + within;
		return use === 'read' || run.kind === RunKind.DATA;
	}

	/** What the image has of a block, known or not. @throws VmmError DISK_IMAGE_DAMAGED */
	async #known(block: number): Promise<BlockKind> {
		if (this.kindOf(block) === BlockKind.UNKNOWN) await this.load(block);
		return this.kindOf(block);
	}

	async map(offset: number, length: number): Promise<readonly Extent[]> {
		const end = Math.min(offset + length, this.#mappedBytes);
		const extents: Extent[] = [];
		for (let at = offset; at < end && extents.length < mostExtents; ) {
			const block = Math.floor(at / this.blockBytes);
			const start = block * this.blockBytes;
			const stop = Math.min(end, start + this.blockBytes);
			const kind = await this.#known(block);
			const piece = {offset: at, length: stop - at};
			if (kind === BlockKind.PARTIAL) this.#mapPartial(block, start, at, stop, extents);
			else if (kind === BlockKind.FULL)
				appendExtent(extents, {kind: 'data', ...piece, fileOffset: this.offsetOf(block) + at - start});
			else appendExtent(extents, {kind: kind === BlockKind.ZERO ? 'zero' : 'below', ...piece});
			at = stop;
		}
		return extents;
	}

	#mapPartial(block: number, start: number, from: number, stop: number, extents: Extent[]): void {
		const [offset, bits] = [this.offsetOf(block), this.bitsOf(block)];
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
		if (offset + length > this.#mappedBytes)
			throw new RangeError(`${offset} + ${length} is beyond a disk of ${this.#mappedBytes}`);
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
			finish: () => this.turns.run(() => this.#finish(changes).finally(undo)).finally(done),
			abandon: () => this.turns.run(async () => undo()).finally(done),
		};
	}

	/** Where a block is that gets bytes from `start` to `end` of it. */
	async #place(block: number, start: number, end: number, changes: Change[]): Promise<number> {
		const kind = await this.#known(block);
		const sectors = [start / sectorBytes, end / sectorBytes] as const;
		if (kind === BlockKind.FULL) return this.offsetOf(block);
		if (kind === BlockKind.PARTIAL) {
			const [offset, bits] = [this.offsetOf(block), this.bitsOf(block)];
			const isThere = bits.has(sectors[0]) && bits.runEnd(...sectors) === sectors[1];
			if (!isThere) changes.push({block, offset, isNew: false, isFull: false, sectors});
			return offset;
		}
		const isFull = kind === BlockKind.ZERO || this.below === undefined || end - start === this.blockBytes;
		const offset = await this.#take();
		changes.push({block, offset, isNew: true, isFull, sectors});
		return offset;
	}

	/** A place for a block, which reads as zeros. */
	async #take(): Promise<number> {
		if (this.free.length === 0 && this.#freed.length * this.blockBytes > mostFreedBytes) await this.sync();
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

	/** Lets the disk have what was written; leaves what it does not get. */
	async #finish(changes: Change[]): Promise<void> {
		changes.reverse();
		for (let change = changes.at(-1); change !== undefined; change = changes.at(-1)) {
			const {block, offset, isNew, isFull, sectors} = change;
			if (isNew) await this.link(block, offset, isFull ? undefined : sectors);
			else if ((await this.#known(block)) === BlockKind.PARTIAL) this.addSectors(block, this.bitsOf(block), sectors);
			changes.pop();
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
		const end = Math.min(offset + length, this.#mappedBytes);
		for (let at = offset; at < end; ) {
			const block = Math.floor(at / this.blockBytes);
			const base = block * this.blockBytes;
			const stop = Math.min(end, base + this.blockBytes);
			const isWhole = at === base && (stop === base + this.blockBytes || stop === this.#mappedBytes);
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
		const kind = await this.#known(block);
		if (kind === BlockKind.ZERO || (kind === BlockKind.ABSENT && this.below === undefined)) return true;
		const offset = kind === BlockKind.ABSENT ? undefined : this.offsetOf(block);
		if (!this.clear(block)) return false;
		if (offset !== undefined) this.#freed.push(offset);
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
				if (extent.kind === 'below') await writeZeros(this, extent.offset, extent.length);
			}
	}

	async flush(): Promise<void> {
		await this.turns.run(async () => {
			if (this.#lost !== undefined) throw this.#lost;
			await this.sync();
		});
	}

	/** Brings the file up to date. */
	protected async sync(): Promise<void> {
		if (!this.file.writable) return;
		await this.writeTables();
		await this.stable();
		// Nothing on stable storage leads there any more.
		for (let offset = this.#freed.at(-1); offset !== undefined; offset = this.#freed.at(-1)) {
			await this.blank(offset);
			this.#freed.pop();
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

	/** Before a change. */
	protected async beginChange(): Promise<void> {
		if (this.#lost !== undefined) throw this.#lost;
		if (this.#hasBegun) return;
		await this.begin();
		this.#hasBegun = true;
	}

	async resize(sizeBytes: number, progress?: (done: number, total: number) => void): Promise<void> {
		this.checkNewSize(sizeBytes);
		const {blockBytes} = this;
		const old = this.#sizeBytes;
		// What stays of the last block reads as zeros when the disk grows again.
		await byParts(sizeBytes, old, blockBytes, progress, (start, end) => this.discard(start, end - start));
		await this.turns.run(async () => {
			await this.beginChange();
			await this.sync();
			await this.resizeTable(sizeBytes);
		});
		try {
			// What is below may be longer, and is not to show. The file says so before the new size: a crash in between leaves what nobody sees.
			this.#mappedBytes = Math.max(old, sizeBytes);
			const below = Math.ceil((this.below?.sizeBytes ?? 0) / blockBytes) * blockBytes;
			await byParts(old, Math.min(below, sizeBytes), blockBytes, progress, (start, end) =>
				this.zero(start, end - start),
			);
			await this.turns.run(async () => {
				await this.sync();
				await this.writeSize(sizeBytes);
				this.#sizeBytes = sizeBytes;
			});
		} finally {
			this.#mappedBytes = this.#sizeBytes;
		}
	}

	async close(): Promise<void> {
		try {
			await this.flush();
		} finally {
			await this.file.close();
		}
	}
}
