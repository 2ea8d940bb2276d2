import {BlockImage, BlockKind, inOrder, type Place, SectorBits, sectorBytes} from '#devices/storage/block-image';
import {
	type CheckResult,
	Faults,
	type ImageFacts,
	type ImageFile,
	imageError,
	type Repair,
} from '#devices/storage/image';
import {checkSize} from './fixed.ts';
import {
	bitmapBytes,
	checksumOf,
	type DynamicHeader,
	type Footer,
	footerBytes,
	format,
	headerBytes,
	mostTableBytes,
	noBlock,
	parseHeader,
	withSize,
} from './structures.ts';

/** A dynamic VHD: blocks that are there when something was written in them, each behind a bitmap of its sectors. */
export class DynamicVhd extends BlockImage {
	readonly format = format;
	#footer: Buffer;
	#header: DynamicHeader;
	#table: Buffer;
	readonly #bitmapBytes: number;
	/** Blocks all of whose sectors are there. */
	readonly #full = new Set<number>();
	/** Bitmaps of the others, as far as they were looked at. */
	readonly #bits = new Map<number, SectorBits>();
	/** Blocks whose bitmap, and sectors of the table whose entries, the file lacks. */
	readonly #dirtyBits = new Set<number>();
	readonly #dirtyTable = new Set<number>();
	/** Where the next block goes: the footer is there, or was. */
	#end = 0;
	/** The file ends with the footer. */
	#hasFooter: boolean;
	/** It does, and that lies where the last block ends. */
	#endsWell = false;

	private constructor(file: ImageFile, footer: Footer, header: DynamicHeader, table: Buffer, isAtEnd: boolean) {
		super(file, footer.sizeBytes, header.blockBytes, undefined);
		this.#footer = footer.bytes;
		this.#header = header;
		this.#table = table;
		this.#bitmapBytes = bitmapBytes(header.blockBytes);
		this.#hasFooter = isAtEnd;
	}

	/** @throws VmmError DISK_IMAGE_DAMAGED */
	static async open(file: ImageFile, footer: Footer, fileBytes: number, isAtEnd: boolean): Promise<DynamicVhd> {
		const {path} = file;
		const bytes = Buffer.alloc(headerBytes);
		if (!Number.isSafeInteger(footer.headerOffset) || footer.headerOffset < footerBytes)
			throw imageError('DISK_IMAGE_DAMAGED', {path, format, what: `its header is at ${footer.headerOffset}`});
		await file.read(footer.headerOffset, bytes);
		const header = parseHeader(bytes, footer, fileBytes, path);
		const table = Buffer.alloc(Math.ceil(footer.sizeBytes / header.blockBytes) * 4);
		await file.read(header.tableOffset, table);
		const image = new DynamicVhd(file, footer, header, table, isAtEnd);
		image.#findRoom();
		image.#endsWell = isAtEnd && fileBytes === image.#end + footerBytes;
		return image;
	}

	/** What lies in the file, in order. */
	#places(): Iterable<Place> {
		const {tableOffset, entries} = this.#header;
		const headerOffset = Number(this.#footer.readBigUInt64BE(16));
		const others = [
			{name: 'the copy of the footer', at: 0, bytes: footerBytes},
			{name: 'the header', at: headerOffset, bytes: headerBytes},
			{name: 'the table', at: tableOffset, bytes: Math.ceil((entries * 4) / sectorBytes) * sectorBytes},
		];
		return inOrder(others, this.#blocks, (block) => this.#entry(block), this.#unitBytes);
	}

	/** Finds where all ends, and room between blocks that others have left. */
	#findRoom(): void {
		let end = 0;
		for (const {name, at, bytes} of this.#places()) {
			// Data there could be what the image is made of.
			if (at < end && this.file.writable) throw this.#damaged(`${name} lies at ${at}, where something else does`);
			this.addRoom(end, at, this.#unitBytes);
			end = Math.max(end, at + bytes);
		}
		this.#end = end;
	}

	/** Blocks that have a place. */
	get #blocks(): number[] {
		const found: number[] = [];
		for (let block = 0; block < this.#table.length / 4; block++) if (this.#entry(block) !== 0) found.push(block);
		return found;
	}

	/** Bytes of a block with its bitmap. */
	get #unitBytes(): number {
		return this.#bitmapBytes + this.blockBytes;
	}

	/** Where a block's bitmap is; 0 for nowhere. */
	#entry(block: number): number {
		const sector = this.#table.readUInt32BE(block * 4);
		return sector === noBlock ? 0 : sector * sectorBytes;
	}

	protected kindOf(block: number): BlockKind {
		if (this.#full.has(block)) return BlockKind.FULL;
		if (this.#bits.has(block)) return BlockKind.PARTIAL;
		return this.#entry(block) === 0 ? BlockKind.ABSENT : BlockKind.UNKNOWN;
	}

	protected offsetOf(block: number): number {
		return this.#entry(block) + this.#bitmapBytes;
	}

	protected bitsOf(block: number): SectorBits {
		return this.#bits.get(block) as SectorBits;
	}

	protected async load(block: number): Promise<void> {
		const bytes = new Uint8Array(Math.ceil(this.blockBytes / sectorBytes / 8));
		await this.file.read(this.#entry(block), bytes);
		// Another one may have come first, and been changed.
		if (this.kindOf(block) !== BlockKind.UNKNOWN) return;
		if (bytes.every((byte) => byte === 0xff) || this.blockBytes < 8 * sectorBytes) this.#full.add(block);
		else this.#bits.set(block, new SectorBits(bytes, true));
	}

	protected async append(): Promise<number> {
		const place = this.#end;
		if (place / sectorBytes >= noBlock)
			throw imageError('DISK_IMAGE_FULL', {path: this.file.path, format, what: 'its file is as long as it can be'});
		// The footer moves behind the block before the block takes its place; in between the copy at the beginning counts.
		await this.file.write(place + this.#unitBytes, this.#footer);
		await this.blank(place + this.#bitmapBytes);
		this.#end += this.#unitBytes;
		return place + this.#bitmapBytes;
	}

	protected override async blank(offset: number): Promise<void> {
		await this.file.punch(offset - this.#bitmapBytes, this.#unitBytes);
	}

	protected async link(block: number, offset: number): Promise<void> {
		const place = offset - this.#bitmapBytes;
		await this.file.write(place, new Uint8Array(this.#bitmapBytes).fill(0xff));
		this.#full.add(block);
		this.#bits.delete(block);
		this.#setEntry(block, place / sectorBytes);
	}

	#setEntry(block: number, sector: number): void {
		this.#table.writeUInt32BE(sector, block * 4);
		this.#dirtyTable.add(Math.floor((block * 4) / sectorBytes));
	}

	protected addSectors(block: number, bits: SectorBits, [start, end]: readonly [number, number]): void {
		bits.set(start, end);
		this.#dirtyBits.add(block);
	}

	protected clear(block: number): boolean {
		this.#setEntry(block, noBlock);
		this.#full.delete(block);
		this.#bits.delete(block);
		this.#dirtyBits.delete(block);
		return true;
	}

	get isDirty(): boolean {
		return this.#dirtyTable.size > 0 || this.#dirtyBits.size > 0;
	}

	protected async writeTables(): Promise<void> {
		if (!this.isDirty) return;
		await this.stable();
		for (const block of this.#dirtyBits) {
			const bits = this.#bits.get(block);
			if (bits !== undefined) await this.file.write(this.#entry(block), bits.bytes);
		}
		this.#dirtyBits.clear();
		for (const sector of this.#dirtyTable) {
			const start = sector * sectorBytes;
			await this.file.write(this.#header.tableOffset + start, this.#table.subarray(start, start + sectorBytes));
		}
		this.#dirtyTable.clear();
	}

	protected async begin(): Promise<void> {
		if (!this.#endsWell) await this.#endWell();
	}

	/** Puts the footer behind the last block, where a crash has left out that or cut off what came behind. */
	async #endWell(): Promise<void> {
		await this.file.write(this.#end, this.#footer);
		await this.file.truncate(this.#end + footerBytes);
		await this.stable();
		this.#hasFooter = true;
		this.#endsWell = true;
	}

	/** Where the table has no room for more blocks, a new one goes behind all blocks. */
	protected checkNewSize(sizeBytes: number): void {
		checkSize(this.file.path, sizeBytes);
		if (Math.ceil(sizeBytes / this.blockBytes) * 4 > mostTableBytes) {
			const what = `its blocks of ${this.blockBytes} bytes are too small for it`;
			throw imageError('DISK_IMAGE_SIZE_INVALID', {path: this.file.path, format, sizeBytes, what});
		}
	}

	protected async resizeTable(sizeBytes: number): Promise<void> {
		const entries = Math.ceil(sizeBytes / this.blockBytes);
		const table = Buffer.alloc(entries * 4, 0xff);
		this.#table.copy(table);
		if (entries > this.#header.entries) await this.#moveTable(table);
		else if (entries * 4 > this.#table.length) {
			// Entries behind the old end may say anything.
			await this.file.write(this.#header.tableOffset, table);
			await this.stable();
		}
		this.#table = table;
	}

	protected async writeSize(sizeBytes: number): Promise<void> {
		await this.#writeFooter(withSize(this.#footer, sizeBytes));
	}

	async #moveTable(table: Buffer): Promise<void> {
		const tableOffset = this.#end;
		const bytes = Math.ceil(table.length / sectorBytes) * sectorBytes;
		await this.file.write(tableOffset + bytes, this.#footer);
		await this.file.write(tableOffset, Buffer.concat([table, Buffer.alloc(bytes - table.length, 0xff)]));
		await this.stable();
		this.#end += bytes;
		this.#header = {...this.#header, tableOffset, entries: bytes / 4};
		// One sector and a bit: the second half of it is reserved and stays as it is.
		const headerOffset = Number(this.#footer.readBigUInt64BE(16));
		const header = Buffer.alloc(headerBytes);
		await this.file.read(headerOffset, header);
		header.writeBigUInt64BE(BigInt(tableOffset), 16);
		header.writeUInt32BE(this.#header.entries, 28);
		header.writeUInt32BE(checksumOf(header, 36), 36);
		await this.file.write(headerOffset, header.subarray(0, sectorBytes));
		await this.stable();
	}

	/** The one at the end first: the copy is what counts when that is cut off. */
	async #writeFooter(footer: Buffer): Promise<void> {
		this.#footer = footer;
		await this.file.write(this.#end, footer);
		await this.stable();
		await this.file.write(0, footer);
		await this.stable();
	}

	async check(repair?: Repair): Promise<CheckResult> {
		return this.turns.run(async () => {
			await this.sync();
			const faults = new Faults();
			const fileBytes = await this.file.size();
			let end = 0;
			for (const {name, at, bytes} of this.#places()) {
				if (at < end) faults.add(`${name} lies at ${at}, where something else does`);
				end = Math.max(end, at + bytes);
				if (end > fileBytes) faults.add(`${name} lies behind the end of the file, at ${at}`);
			}
			if (this.#hasFooter) return faults.result;
			if (repair === undefined) faults.leak();
			else {
				await this.#endWell();
				faults.repair();
			}
			return faults.result;
		});
	}

	facts(): ImageFacts {
		return {kind: 'dynamic'};
	}

	#damaged(what: string) {
		return imageError('DISK_IMAGE_DAMAGED', {path: this.file.path, format, what});
	}
}
