import {BlockImage, BlockKind, inOrder, type Place, SectorBits} from '#devices/storage/block-image';
import {
	type CheckResult,
	type DiskImage,
	Faults,
	type ImageFacts,
	type ImageFile,
	imageError,
} from '#devices/storage/image';
import {
	type BatShape,
	batShape,
	encodeHeader,
	encodeRegions,
	format,
	guids,
	type Header,
	type Metadata,
	MiB,
	mostBytes,
	newGuid,
	PayloadState,
	places,
	type Region,
} from './structures.ts';

/** The table is written in pieces of this size. */
const pageBytes = 4096;
/** A bitmap block has the bits of a chunk's sectors (2.5). */
const bitmapBytes = MiB;

/** An image whose structures were read and checked. */
export interface OpenVhdx {
	readonly file: ImageFile;
	readonly header: Header;
	readonly regions: readonly Region[];
	readonly metadata: Metadata;
	readonly table: Buffer;
	readonly below: DiskImage | undefined;
}

/**
 * A VHDX image ([MS-VHDX]): fixed, dynamic or differencing.
 *
 * Its tables are written in place when the disk is flushed, each piece after what it leads to is on stable storage. An entry lies in one sector, so
 * that a crash leaves the old one or the new one; nothing needs the log, which stays empty.
 */
export class VhdxImage extends BlockImage {
	readonly format = format;
	#header: Header;
	#regions: readonly Region[];
	readonly #metadata: Metadata;
	#shape: BatShape;
	#table: Buffer;
	/** Bitmaps of chunks, as far as they were looked at: those of their blocks that are there in part. */
	readonly #bitmaps = new Map<number, Uint8Array>();
	/** The parts of them that are those blocks'. */
	readonly #bits = new Map<number, SectorBits>();
	readonly #dirtyTable = new Set<number>();
	/** Pages of the table with entries of bitmaps that are new. */
	readonly #dirtyFirst = new Set<number>();
	/** Blocks whose bits the file lacks: those that nothing leads to yet, and those that are there. */
	readonly #newBits = new Set<number>();
	readonly #dirtyBits = new Set<number>();
	#end = MiB;

	constructor({file, header, regions, metadata, table, below}: OpenVhdx) {
		super(file, metadata.sizeBytes, metadata.blockBytes, below);
		this.#header = header;
		this.#regions = regions;
		this.#metadata = metadata;
		this.#shape = batShape(file.path, metadata.sizeBytes, metadata);
		this.#table = table;
		if (file.writable) this.#findRoom();
	}

	/** What is below an image is known by this. */
	get identity(): string {
		return this.#header.dataWriteGuid;
	}

	get sectorBytes(): number {
		return this.#metadata.sectorBytes;
	}

	get #bat(): Region {
		return this.#regions.find(({guid}) => guid === guids.bat) as Region;
	}

	get #blockCount(): number {
		return Math.ceil(this.sizeBytes / this.blockBytes);
	}

	/** The entry of a block, by its index in the table. */
	#entryOf(block: number): number {
		return block + Math.floor(block / this.#shape.chunk);
	}

	#bitmapEntryOf(chunk: number): number {
		return chunk * (this.#shape.chunk + 1) + this.#shape.chunk;
	}

	#stateAt(index: number): number {
		return this.#table.readUInt32LE(index * 8) & 7;
	}

	/** The upper 44 bits of an entry count mebibytes. */
	#offsetAt(index: number): number {
		const [low, high] = [this.#table.readUInt32LE(index * 8), this.#table.readUInt32LE(index * 8 + 4)];
		return (high * 2 ** 12 + (low >>> 20)) * MiB;
	}

	#setEntry(index: number, state: number, offset: number): void {
		this.#table.writeBigUInt64LE((BigInt(offset / MiB) << 20n) | BigInt(state), index * 8);
		this.#dirtyTable.add(Math.floor((index * 8) / pageBytes));
	}

	/** What has a place in the file, in order. */
	#places(): Iterable<Place> {
		const others: Place[] = [
			{name: 'the header', at: 0, bytes: MiB},
			{name: 'the log', at: this.#header.logOffset, bytes: this.#header.logBytes},
			...this.#regions.map(({offset, bytes}, index) => ({name: `region ${index}`, at: offset, bytes})),
		];
		const blocks: number[] = [];
		for (let block = 0; block < this.#blockCount; block++) {
			const state = this.#stateAt(this.#entryOf(block));
			if (state === PayloadState.full || state === PayloadState.partial) blocks.push(block);
		}
		if (this.#metadata.hasParent)
			for (let chunk = 0; chunk * this.#shape.chunk < this.#blockCount; chunk++) {
				const index = this.#bitmapEntryOf(chunk);
				if (this.#stateAt(index) === PayloadState.full)
					others.push({name: `bitmap ${chunk}`, at: this.#offsetAt(index), bytes: bitmapBytes});
			}
		return inOrder(others, blocks, (block) => this.offsetOf(block), this.blockBytes);
	}

	/** Finds where all ends, and room between what has a place. */
	#findRoom(): void {
		let end = 0;
		for (const {name, at, bytes} of this.#places()) {
			// Data there could be what the image is made of.
			if (at < end) throw this.#damaged(`${name} lies at ${at}, where something else does`);
			this.addRoom(end, at, this.blockBytes);
			end = at + bytes;
		}
		if (!Number.isSafeInteger(end)) throw this.#damaged(`it goes on to ${end}`);
		this.#end = end;
	}

	protected kindOf(block: number): BlockKind {
		switch (this.#stateAt(this.#entryOf(block))) {
			case PayloadState.notPresent:
				return BlockKind.ABSENT;
			case PayloadState.undefined:
			case PayloadState.zero:
			case PayloadState.unmapped:
				return BlockKind.ZERO;
			case PayloadState.full:
				return this.#isSound(block) ? BlockKind.FULL : BlockKind.UNKNOWN;
			case PayloadState.partial:
				return this.#bits.has(block) && this.#isSound(block) ? BlockKind.PARTIAL : BlockKind.UNKNOWN;
			default:
				return BlockKind.UNKNOWN;
		}
	}

	protected offsetOf(block: number): number {
		return this.#offsetAt(this.#entryOf(block));
	}

	protected bitsOf(block: number): SectorBits {
		return this.#bits.get(block) as SectorBits;
	}

	#isSound(block: number): boolean {
		const offset = this.offsetOf(block);
		return offset >= MiB && Number.isSafeInteger(offset);
	}

	protected async load(block: number): Promise<void> {
		const state = this.#stateAt(this.#entryOf(block));
		if (state !== PayloadState.full && state !== PayloadState.partial)
			throw this.#damaged(`block ${block} is in state ${state}`);
		if (!this.#isSound(block)) throw this.#damaged(`block ${block} lies at ${this.offsetOf(block)}`);
		await this.#loadBits(block);
	}

	/** The bits of a block are a part of its chunk's bitmap. */
	async #loadBits(block: number): Promise<SectorBits> {
		const chunk = Math.floor(block / this.#shape.chunk);
		if (!this.#bitmaps.has(chunk)) {
			if (!this.#hasBitmap(block)) throw this.#damaged(`block ${block} is there in part, and has no bitmap`);
			const bitmap = new Uint8Array(bitmapBytes);
			await this.file.read(this.#offsetAt(this.#bitmapEntryOf(chunk)), bitmap);
			// Another one may have come first, and been changed.
			if (!this.#bitmaps.has(chunk)) this.#bitmaps.set(chunk, bitmap);
		}
		let bits = this.#bits.get(block);
		if (bits === undefined) {
			const bytes = bitmapBytes / this.#shape.chunk;
			const from = (block % this.#shape.chunk) * bytes;
			bits = new SectorBits((this.#bitmaps.get(chunk) as Uint8Array).subarray(from, from + bytes), false);
			this.#bits.set(block, bits);
		}
		return bits;
	}

	protected append(): Promise<number> {
		return this.#appendBytes(this.blockBytes);
	}

	/** The file gets longer at once: others refuse a block that is not all there. */
	async #appendBytes(bytes: number): Promise<number> {
		const offset = this.#end;
		if (!Number.isSafeInteger(offset + bytes))
			throw imageError('DISK_IMAGE_FULL', {path: this.file.path, format, what: 'its file is as long as it can be'});
		if ((await this.file.size()) > offset) await this.file.punch(offset, bytes);
		if ((await this.file.size()) < offset + bytes) await this.file.truncate(offset + bytes);
		this.#end = offset + bytes;
		return offset;
	}

	protected async link(block: number, offset: number, written: readonly [number, number] | undefined): Promise<void> {
		if (written !== undefined) {
			await this.#ownBitmap(Math.floor(block / this.#shape.chunk));
			const bits = await this.#loadBits(block);
			bits.bytes.fill(0);
			bits.set(...written);
			this.#newBits.add(block);
		}
		this.#setEntry(this.#entryOf(block), written === undefined ? PayloadState.full : PayloadState.partial, offset);
	}

	/** Makes the bitmap of a chunk that has none. */
	async #ownBitmap(chunk: number): Promise<void> {
		const index = this.#bitmapEntryOf(chunk);
		if (this.#stateAt(index) === PayloadState.full) return;
		const offset = await this.#appendBytes(bitmapBytes);
		this.#bitmaps.set(chunk, new Uint8Array(bitmapBytes));
		this.#setEntry(index, PayloadState.full, offset);
		this.#dirtyFirst.add(chunk);
	}

	protected addSectors(block: number, bits: SectorBits, written: readonly [number, number]): void {
		bits.set(...written);
		if (!this.#newBits.has(block)) this.#dirtyBits.add(block);
	}

	protected clear(block: number): boolean {
		if (this.#metadata.isFixed) return false;
		this.#setEntry(this.#entryOf(block), PayloadState.zero, 0);
		this.#newBits.delete(block);
		this.#dirtyBits.delete(block);
		return true;
	}

	get isDirty(): boolean {
		return this.#dirtyTable.size > 0 || this.#dirtyBits.size > 0;
	}

	protected async writeTables(): Promise<void> {
		if (!this.isDirty) return;
		for (const block of this.#newBits) await this.#writeBits(block);
		await this.stable();
		if (this.#dirtyFirst.size > 0) {
			// A block that is there in part has to have a bitmap.
			for (const chunk of this.#dirtyFirst) {
				const index = this.#bitmapEntryOf(chunk);
				await this.file.write(this.#bat.offset + index * 8, this.#table.subarray(index * 8, index * 8 + 8));
			}
			await this.stable();
		}
		for (const block of this.#dirtyBits) await this.#writeBits(block);
		for (const page of this.#dirtyTable) {
			const from = page * pageBytes;
			await this.file.write(this.#bat.offset + from, this.#table.subarray(from, from + pageBytes));
		}
		for (const dirty of [this.#newBits, this.#dirtyFirst, this.#dirtyBits, this.#dirtyTable]) dirty.clear();
	}

	async #writeBits(block: number): Promise<void> {
		const {bytes} = await this.#loadBits(block);
		const offset = this.#offsetAt(this.#bitmapEntryOf(Math.floor(block / this.#shape.chunk)));
		await this.file.write(offset + (block % this.#shape.chunk) * bytes.length, bytes);
	}

	/** Whoever knows the image, or lies over it, learns that it has changed. */
	protected async begin(): Promise<void> {
		const header: Header = {
			...this.#header,
			slot: this.#header.slot === 0 ? 1 : 0,
			sequence: this.#header.sequence + 1n,
			fileWriteGuid: newGuid(),
			dataWriteGuid: newGuid(),
			logGuid: guids.none,
		};
		await this.file.write(places.headers[header.slot], encodeHeader(header));
		await this.stable();
		this.#header = header;
	}

	protected checkNewSize(sizeBytes: number): void {
		const {path} = this.file;
		const {sectorBytes, isFixed} = this.#metadata;
		const invalid = (what: string) => imageError('DISK_IMAGE_SIZE_INVALID', {path, format, sizeBytes, what});
		if (sizeBytes === 0 || sizeBytes % sectorBytes !== 0 || sizeBytes > mostBytes)
			throw invalid(`it has a multiple of ${sectorBytes} bytes, and no more than 64 TiB`);
		if (isFixed && sizeBytes !== this.sizeBytes)
			throw imageError('DISK_IMAGE_UNSUPPORTED', {path, format, what: 'it is fixed, and its size with it'});
		batShape(path, sizeBytes, this.#metadata);
	}

	protected async resizeTable(sizeBytes: number): Promise<void> {
		const shape = batShape(this.file.path, sizeBytes, this.#metadata);
		// Entries behind the old end may say anything in the file.
		const table = Buffer.alloc(shape.entries * 8);
		this.#table.copy(table);
		this.#table = table;
		this.#shape = shape;
		if (table.length > this.#bat.bytes) await this.#moveTable();
		else await this.file.write(this.#bat.offset, table);
		await this.stable();
	}

	protected async writeSize(sizeBytes: number): Promise<void> {
		const size = Buffer.alloc(8);
		size.writeBigUInt64LE(BigInt(sizeBytes));
		await this.file.write(this.#metadata.sizeOffset, size);
		await this.stable();
	}

	/** Gives the table a place with more room: the region tables lead to it when it is on stable storage. */
	async #moveTable(): Promise<void> {
		const bytes = Math.ceil(this.#table.length / MiB) * MiB;
		const offset = await this.#appendBytes(bytes);
		await this.file.write(offset, this.#table);
		await this.stable();
		this.#regions = this.#regions.map((region) => (region.guid === guids.bat ? {...region, offset, bytes} : region));
		const table = encodeRegions(this.#regions);
		for (const place of places.regionTables) {
			await this.file.write(place, table);
			await this.stable();
		}
	}

	/** Room between blocks, and behind the last one, is no leak: the next blocks get it. */
	async check(): Promise<CheckResult> {
		return this.turns.run(async () => {
			await this.sync();
			const faults = new Faults();
			const fileBytes = await this.file.size();
			let end = 0;
			for (const {name, at, bytes} of this.#places()) {
				if (at < end) faults.add(`${name} lies at ${at}, where something else does`);
				end = Math.max(end, at + bytes);
				// Regions may lie in what is not yet there of the file.
				if (end > fileBytes && name.startsWith('b')) faults.add(`${name} lies behind the end of the file, at ${at}`);
			}
			for (let block = 0; block < this.#blockCount; block++) {
				const state = this.#stateAt(this.#entryOf(block));
				if (state === 4 || state === 5) faults.add(`block ${block} is in state ${state}`);
				if (state === PayloadState.partial && !this.#hasBitmap(block))
					faults.add(`block ${block} is there in part, and has no bitmap`);
			}
			return faults.result;
		});
	}

	#hasBitmap(block: number): boolean {
		if (!this.#metadata.hasParent) return false;
		return this.#stateAt(this.#bitmapEntryOf(Math.floor(block / this.#shape.chunk))) === PayloadState.full;
	}

	facts(): ImageFacts {
		const {isFixed, hasParent, sectorBytes} = this.#metadata;
		return {kind: hasParent ? 'differencing' : isFixed ? 'fixed' : 'dynamic', sectorBytes, identity: this.identity};
	}

	#damaged(what: string) {
		return imageError('DISK_IMAGE_DAMAGED', {path: this.file.path, format, what});
	}
}
