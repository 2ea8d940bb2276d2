import {type ImageFile, imageError} from '#devices/storage/image';
import {copiedHigh, High, isSound, offsetOf} from './entries.ts';
import {format, type Header} from './header.ts';
import type {OwnClusters} from './own-clusters.ts';
import type {Refcounts} from './refcounts.ts';
import {Table, TableCache} from './table.ts';

const cacheBytes = 32 * 2 ** 20;

/** The L1 table, and the L2 tables that it leads to (qcow2.txt, "Cluster mapping"). */
export class L2Tables {
	readonly #file: ImageFile;
	readonly #own: OwnClusters | undefined;
	readonly #clusterBytes: number;
	readonly #tables: TableCache;
	/** The L1 table. */
	l1: Table;

	private constructor(file: ImageFile, clusterBytes: number, own: OwnClusters | undefined, l1: Table) {
		this.#file = file;
		this.#clusterBytes = clusterBytes;
		this.#own = own;
		this.l1 = l1;
		this.#tables = new TableCache(file, clusterBytes, cacheBytes);
	}

	/**
	 * @param own - gets the tables' clusters; an image that is only read may have its tables anywhere
	 * @throws VmmError DISK_IMAGE_DAMAGED
	 */
	static async open(file: ImageFile, header: Header, own?: OwnClusters): Promise<L2Tables> {
		const l1 = new Table(header.l1Offset, Buffer.alloc(header.l1Size * 8));
		await file.read(l1.offset, l1.bytes);
		const tables = new L2Tables(file, header.clusterBytes, own, l1);
		if (own === undefined) return tables;
		if (own.hasAny(l1.offset, l1.bytes.length))
			throw tables.#damaged('its L1 table lies where another table of it does');
		own.add(l1.offset, l1.bytes.length);
		for (let index = 0; index < header.l1Size; index++) {
			const offset = tables.offset(index);
			if (offset === 0) continue;
			if (own.has(offset)) throw tables.#damaged(`L2 table ${index} lies where another table of it does`);
			own.add(offset, header.clusterBytes);
		}
		return tables;
	}

	/** Number of entries of the L1 table. */
	get l1Size(): number {
		return this.l1.bytes.length / 8;
	}

	/** Where an L2 table is; 0 for nowhere. @throws VmmError DISK_IMAGE_DAMAGED */
	offset(index: number): number {
		const offset = offsetOf(this.l1.bytes.readUInt32BE(index * 8), this.l1.bytes.readUInt32BE(index * 8 + 4));
		if (!isSound(offset, this.#clusterBytes)) throw this.#damaged(`L2 table ${index} begins within a cluster`);
		return offset;
	}

	/** An L2 table as it is in memory, without waiting; `null` where there is none. Undefined also where there can be none. */
	peek(index: number): Table | null | undefined {
		// Signed, which V8 has without allocating.
		const offset = offsetOf(this.l1.bytes.readInt32BE(index * 8), this.l1.bytes.readInt32BE(index * 8 + 4));
		if (offset === 0) return null;
		const table = this.#tables.peek(index);
		return table?.offset === offset ? table : undefined;
	}

	/** An L2 table to be read. */
	async get(index: number): Promise<Table | null> {
		const offset = this.offset(index);
		return offset === 0 ? null : this.#tables.load(index, offset);
	}

	/** An L2 table to be changed: a new one where there is none, and a copy of one that a snapshot has too. */
	async own(index: number, counts: Refcounts): Promise<Table> {
		const offset = this.offset(index);
		if (offset !== 0 && this.isOwn(index)) return this.#tables.load(index, offset);
		const old = offset === 0 ? null : await this.#tables.load(index, offset);
		const made = await counts.allocate();
		const table = this.#tables.create(index, made.offset);
		old?.bytes.copy(table.bytes);
		this.#own?.add(made.offset, this.#clusterBytes);
		this.l1.setEntry(index, copiedHigh(made.offset), made.offset % 2 ** 32);
		if (offset !== 0) counts.release(offset);
		return table;
	}

	/** True where an L2 table is in no snapshot: else the marks in it tell nothing. */
	isOwn(index: number): boolean {
		return (this.l1.bytes.readInt32BE(index * 8) & High.copied) !== 0;
	}

	get isDirty(): boolean {
		return this.l1.isDirty || this.#tables.dirtyCount > 0;
	}

	get dirtyBytes(): number {
		return this.#tables.dirtyCount * this.#clusterBytes;
	}

	/** Reads L2 tables anew from now on: somebody wrote to the file. Nothing may be dirty. */
	forget(): void {
		this.#tables.clear();
	}

	/** Writes tables that nothing in the file refers to. */
	async writeFresh(): Promise<void> {
		for (const table of this.#tables.dirty) if (table.fresh) await table.write(this.#file);
	}

	/** Writes what refers to clusters that are on stable storage with their counts. */
	async writeLinks(): Promise<void> {
		for (const table of this.#tables.dirty) await table.write(this.#file);
		await this.l1.write(this.#file);
	}

	#damaged(what: string) {
		return imageError('DISK_IMAGE_DAMAGED', {path: this.#file.path, format, what});
	}
}
