import {type ImageFile, imageError} from '#devices/storage/image';
import {field, format, type Header} from './header.ts';
import type {OwnClusters} from './own-clusters.ts';
import {Table, TableCache} from './table.ts';

const cacheBytes = 8 * 2 ** 20;
const mostTableBytes = 8 * 2 ** 20;

/** A cluster that was allocated. */
export interface NewCluster {
	readonly offset: number;
	/** The file never had anything there: it reads as zeros. */
	readonly blank: boolean;
}

/**
 * The reference counts of an image's clusters (qcow2.txt, "Host cluster management"). Counts that rise are written before anything
 * refers to the cluster, and counts that fall when nothing in the file does any more: a crash leaves clusters without a use, and never one with two.
 */
export class Refcounts {
	readonly #file: ImageFile;
	readonly #clusterBytes: number;
	readonly #order: number;
	/** Counts in a block. */
	readonly perBlock: number;
	readonly #blocks: TableCache;
	/** Where the image's own data are: no cluster there is free, whatever its count says. */
	readonly #own: OwnClusters;
	/** Has the file flushed. */
	readonly #stable: () => Promise<void>;
	#table: Table;
	/** The lowest cluster that may be free. */
	#next = 0;
	/** Clusters from here on were never used. */
	#blankFrom: number;
	#released: number[] = [];

	private constructor(
		file: ImageFile,
		{clusterBytes, refcountOrder}: Header,
		own: OwnClusters,
		stable: () => Promise<void>,
		table: Table,
		fileBytes: number,
	) {
		this.#file = file;
		this.#own = own;
		this.#stable = stable;
		this.#clusterBytes = clusterBytes;
		this.#order = refcountOrder;
		this.perBlock = (clusterBytes * 8) / 2 ** refcountOrder;
		this.#blocks = new TableCache(file, clusterBytes, cacheBytes);
		this.#table = table;
		this.#blankFrom = Math.ceil(fileBytes / clusterBytes);
	}

	/**
	 * @param own - gets the clusters of the counts themselves
	 * @param stable - has the file flushed, for the image, which remembers that it failed
	 * @throws VmmError DISK_IMAGE_DAMAGED
	 */
	static async open(
		file: ImageFile,
		header: Header,
		own: OwnClusters,
		stable: () => Promise<void>,
	): Promise<Refcounts> {
		const {clusterBytes, refcountTableOffset, refcountTableClusters} = header;
		const table = new Table(refcountTableOffset, Buffer.alloc(refcountTableClusters * clusterBytes));
		await file.read(refcountTableOffset, table.bytes);
		own.add(refcountTableOffset, table.bytes.length);
		const fileBytes = await file.size();
		const counts = new Refcounts(file, header, own, stable, table, fileBytes);
		for (let range = 0; range < counts.tableEntries; range++) {
			const offset = counts.blockOffset(range);
			if (offset === undefined) throw counts.#damaged(`refcount block ${range} begins within a cluster`);
			if (offset === 0) continue;
			if (offset >= fileBytes)
				throw counts.#damaged(`refcount block ${range} lies behind the end of the file, at ${offset}`);
			// Two ranges in one block would count each other's clusters, and would be searched for ever.
			if (own.has(offset)) throw counts.#damaged(`refcount block ${range} lies where another table of it does`);
			own.add(offset, clusterBytes);
		}
		return counts;
	}

	/** Blocks that the table has room for. */
	get tableEntries(): number {
		return this.#table.bytes.length / 8;
	}

	get tableOffset(): number {
		return this.#table.offset;
	}

	get tableClusters(): number {
		return this.#table.bytes.length / this.#clusterBytes;
	}

	/** True when the file lacks some of it. */
	get isDirty(): boolean {
		return this.#released.length > 0 || this.#table.isDirty || this.#blocks.dirtyCount > 0;
	}

	/** Bytes of clusters that lose a reference with the next {@link applyReleases}. */
	get releasedBytes(): number {
		return this.#released.length * this.#clusterBytes;
	}

	get dirtyBytes(): number {
		return this.#blocks.dirtyCount * this.#clusterBytes;
	}

	/** Where a block is; 0 where there is none, and undefined where there can be none. */
	blockOffset(range: number): number | undefined {
		if (range >= this.tableEntries) return 0;
		const high = this.#table.bytes.readUInt32BE(range * 8);
		const offset = high * 2 ** 32 + ((this.#table.bytes.readUInt32BE(range * 8 + 4) & 0xffff_fe00) >>> 0);
		return offset % this.#clusterBytes === 0 && Number.isSafeInteger(offset) ? offset : undefined;
	}

	/** The count of a cluster, by number. @throws VmmError DISK_IMAGE_DAMAGED */
	async get(cluster: number): Promise<number> {
		const block = await this.#block(Math.floor(cluster / this.perBlock));
		return block === undefined ? 0 : readCount(block.bytes, cluster % this.perBlock, this.#order);
	}

	/** True where a range has a block, and any count in it. */
	async hasCounts(range: number): Promise<boolean> {
		const block = await this.#block(range);
		return block !== undefined && !isZero(block.bytes);
	}

	/** The counts of a range's clusters, by their index in it: all 0 where it has no block. @throws VmmError DISK_IMAGE_DAMAGED */
	async ofRange(range: number): Promise<(index: number) => number> {
		const block = await this.#block(range);
		return block === undefined ? () => 0 : (index) => readCount(block.bytes, index, this.#order);
	}

	/** Sets a count, in its block if there is one. Returns false where there is none and one is wanted. */
	async set(cluster: number, count: number): Promise<boolean> {
		const block = await this.#block(Math.floor(cluster / this.perBlock));
		if (block === undefined) return count === 0;
		if (this.#order < 6 && count >= 2 ** (2 ** this.#order)) return false;
		this.#write(block, cluster, count);
		return true;
	}

	#write(block: Table, cluster: number, count: number): void {
		const index = cluster % this.perBlock;
		writeCount(block.bytes, index, this.#order, count);
		const at = (index * 2 ** this.#order) / 8;
		block.changed(Math.floor(at), Math.floor(at + 2 ** this.#order / 8 + 7 / 8));
		if (count === 0 && cluster < this.#next) this.#next = cluster;
	}

	async #block(range: number): Promise<Table | undefined> {
		const offset = this.blockOffset(range);
		if (offset === undefined) throw this.#damaged(`refcount block ${range} begins within a cluster`);
		return offset === 0 ? undefined : this.#blocks.load(range, offset);
	}

	/** Takes a free cluster. @throws VmmError DISK_IMAGE_FULL, DISK_IMAGE_DAMAGED */
	async allocate(): Promise<NewCluster> {
		for (;;) {
			const range = Math.floor(this.#next / this.perBlock);
			const block = (await this.#block(range)) ?? (await this.#addBlock(range));
			const end = (range + 1) * this.perBlock;
			for (let cluster = this.#next; cluster < end; cluster++) {
				if (readCount(block.bytes, cluster % this.perBlock, this.#order) !== 0) continue;
				this.#next = cluster + 1;
				if (this.#own.has(cluster * this.#clusterBytes))
					throw this.#damaged(`cluster ${cluster} counts as free, and a table of the image is there`);
				this.#write(block, cluster, 1);
				return this.#taken(cluster);
			}
			this.#next = end;
		}
	}

	/** Takes clusters in a row, behind all that were ever used. @throws as {@link allocate} */
	async allocateRun(count: number): Promise<number> {
		let first = this.#blankFrom;
		for (let cluster = first; cluster < first + count; cluster++) {
			const range = Math.floor(cluster / this.perBlock);
			const block = await this.#block(range);
			if (block === undefined) await this.#addBlock(range);
			if ((await this.get(cluster)) !== 0) first = cluster + 1;
		}
		for (let cluster = first; cluster < first + count; cluster++) await this.set(cluster, 1);
		this.#blankFrom = first + count;
		return first * this.#clusterBytes;
	}

	#taken(cluster: number): NewCluster {
		const blank = cluster >= this.#blankFrom;
		if (blank) this.#blankFrom = cluster + 1;
		return {offset: cluster * this.#clusterBytes, blank};
	}

	/**
	 * Makes the block of a range that has none, in the first cluster of that range: nothing can be there, and the block counts itself.
	 */
	async #addBlock(range: number): Promise<Table> {
		if (range >= this.tableEntries) return this.#grow(range);
		const block = this.#newBlock(range, 1);
		const {offset} = block;
		this.#table.setEntry(range, Math.floor(offset / 2 ** 32), offset % 2 ** 32);
		return block;
	}

	/**
	 * Makes the block of a range whose clusters may be in use already, in a cluster of the caller's, which does not count itself.
	 * Returns false where the table has no room.
	 */
	coverAt(range: number, cluster: number): boolean {
		if (range >= this.tableEntries) return false;
		const {offset} = this.#newBlock(range, 0, cluster);
		this.#table.setEntry(range, Math.floor(offset / 2 ** 32), offset % 2 ** 32);
		return true;
	}

	/** A block whose range has its first clusters in use. */
	#newBlock(range: number, used: number, at = range * this.perBlock): Table {
		const offset = at * this.#clusterBytes;
		if (!Number.isSafeInteger(offset)) throw this.#full('it would lie beyond 2^53');
		if (this.#own.has(offset)) throw this.#damaged(`cluster ${at} has no count, and a table of the image is there`);
		this.#own.add(offset, this.#clusterBytes);
		const block = this.#blocks.create(range, offset);
		for (let index = 0; index < Math.min(used, this.perBlock); index++) writeCount(block.bytes, index, this.#order, 1);
		this.#blankFrom = Math.max(this.#blankFrom, at + 1);
		return block;
	}

	/**
	 * Moves the table to where it has more room: to the beginning of the first range that it has no entry for, behind that range's
	 * block. The header refers to it when it is on stable storage.
	 */
	async #grow(range: number): Promise<Table> {
		const first = range * this.perBlock;
		let [blocks, clusters] = [0, 0];
		for (let needed = 1; needed > blocks; needed = Math.ceil((blocks + clusters) / this.perBlock)) {
			blocks = needed;
			clusters = Math.ceil(((range + blocks) * 1.5 * 8) / this.#clusterBytes);
		}
		if (clusters * this.#clusterBytes > mostTableBytes)
			throw this.#full('its table of reference counts is as long as it can be');
		const old = this.#table;
		const table = new Table((first + blocks) * this.#clusterBytes, Buffer.alloc(clusters * this.#clusterBytes), {
			fresh: true,
		});
		old.bytes.copy(table.bytes);
		const made = Array.from({length: blocks}, (_, i) =>
			this.#newBlock(range + i, blocks + clusters - i * this.perBlock, first + i),
		);
		for (const [i, {offset}] of made.entries())
			table.setEntry(range + i, Math.floor(offset / 2 ** 32), offset % 2 ** 32);
		this.#blankFrom = Math.max(this.#blankFrom, first + blocks + clusters);
		try {
			for (const block of this.#blocks.dirty) await block.write(this.#file);
			await table.write(this.#file);
			await this.#stable();
			const reference = Buffer.alloc(12);
			reference.writeBigUInt64BE(BigInt(table.offset));
			reference.writeUInt32BE(clusters, 8);
			await this.#file.write(field.refcountTableOffset, reference);
			await this.#stable();
		} catch (error) {
			// Whoever allocates next makes the same ones again.
			for (const [i, {offset}] of made.entries()) {
				this.#blocks.drop(range + i);
				this.#own.remove(offset, this.#clusterBytes);
			}
			throw error;
		}
		this.#table = table;
		this.#own.add(table.offset, table.bytes.length);
		this.#own.remove(old.offset, old.bytes.length);
		for (let at = 0; at < old.bytes.length; at += this.#clusterBytes) this.release(old.offset + at);
		return made[0] as Table;
	}

	/** One reference to the cluster at `offset` goes, with the next {@link applyReleases}. */
	release(offset: number): void {
		this.#released.push(offset / this.#clusterBytes);
	}

	/** Writes counts that rose. What refers to their clusters may follow when the file has been flushed. */
	async writeRaised(): Promise<void> {
		const dirty = this.#blocks.dirty;
		const fresh = dirty.some((block) => block.fresh);
		for (const block of dirty) await block.write(this.#file);
		if (fresh) await this.#stable();
		await this.#table.write(this.#file);
	}

	/**
	 * Lets counts fall, when nothing in the file on stable storage refers to the clusters any more.
	 * @returns offsets of the clusters that are free now
	 */
	async applyReleases(): Promise<readonly number[]> {
		const free: number[] = [];
		const released = this.#released.sort((a, b) => a - b);
		this.#released = [];
		for (const cluster of released) {
			const count = await this.get(cluster);
			// An image with wrong counts loses nothing more by this.
			if (count === 0) continue;
			await this.set(cluster, count - 1);
			if (count === 1) free.push(cluster * this.#clusterBytes);
		}
		for (const block of this.#blocks.dirty) await block.write(this.#file);
		return free;
	}

	#damaged(what: string) {
		return imageError('DISK_IMAGE_DAMAGED', {path: this.#file.path, format, what});
	}

	#full(what: string) {
		return imageError('DISK_IMAGE_FULL', {path: this.#file.path, format, what});
	}
}

/** Compares the bytes with themselves, one further on. */
const isZero = (bytes: Buffer): boolean =>
	bytes[0] === 0 && bytes.compare(bytes, 0, bytes.length - 1, 1, bytes.length) === 0;

/** Reads a count of 2^order bits. */
export function readCount(bytes: Buffer, index: number, order: number): number {
	switch (order) {
		case 3:
			return bytes.readUInt8(index);
		case 4:
			return bytes.readUInt16BE(index * 2);
		case 5:
			return bytes.readUInt32BE(index * 4);
		case 6:
			return bytes.readUInt32BE(index * 8) * 2 ** 32 + bytes.readUInt32BE(index * 8 + 4);
		default: {
			const bits = 1 << order;
			return (bytes.readUInt8((index * bits) >> 3) >> ((index * bits) & 7)) & ((1 << bits) - 1);
		}
	}
}

/** Writes a count of 2^order bits. */
export function writeCount(bytes: Buffer, index: number, order: number, count: number): void {
	switch (order) {
		case 3:
			bytes.writeUInt8(count, index);
			break;
		case 4:
			bytes.writeUInt16BE(count, index * 2);
			break;
		case 5:
			bytes.writeUInt32BE(count, index * 4);
			break;
		case 6:
			bytes.writeUInt32BE(Math.floor(count / 2 ** 32), index * 8);
			bytes.writeUInt32BE(count % 2 ** 32, index * 8 + 4);
			break;
		default: {
			const bits = 1 << order;
			const [at, shift] = [(index * bits) >> 3, (index * bits) & 7];
			const others = bytes.readUInt8(at) & ~(((1 << bits) - 1) << shift);
			bytes.writeUInt8(others | (count << shift), at);
		}
	}
}
