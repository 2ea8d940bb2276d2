import type {ImageFile} from '#devices/storage/image';

/** A piece of an image's own data in memory: a table, or a cluster of one. It knows which of its bytes the file does not have. */
export class Table {
	readonly offset: number;
	readonly bytes: Buffer;
	/** Nothing in the file refers to it yet, so that its bytes may be written in any order. */
	fresh: boolean;
	readonly #noted: ((table: Table) => void) | undefined;
	#from = Number.POSITIVE_INFINITY;
	#to = 0;
	#isWriting = false;

	/** @param noted - is told when it was changed, and when it was written */
	constructor(
		offset: number,
		bytes: Buffer,
		{fresh = false, noted}: {fresh?: boolean; noted?: (table: Table) => void} = {},
	) {
		this.offset = offset;
		this.bytes = bytes;
		this.fresh = fresh;
		this.#noted = noted;
		if (fresh) this.changed(0, bytes.length);
	}

	/** The file lacks some of its bytes, or they are on their way there: whoever read them now could get the old ones. */
	get isDirty(): boolean {
		return this.#to > 0 || this.#isWriting;
	}

	/** Notes that bytes were changed. */
	changed(from: number, to: number): void {
		this.#from = Math.min(this.#from, from);
		this.#to = Math.max(this.#to, to);
		this.#noted?.(this);
	}

	/** Sets a 64-bit entry. */
	setEntry(index: number, high: number, low: number): void {
		this.bytes.writeUInt32BE(high >>> 0, index * 8);
		this.bytes.writeUInt32BE(low >>> 0, index * 8 + 4);
		this.changed(index * 8, index * 8 + 8);
	}

	/** Writes what was changed. A write that fails leaves it as it was, to be written again. */
	async write(file: ImageFile): Promise<void> {
		if (!this.isDirty) return;
		const [from, to] = [this.#from, this.#to];
		[this.#from, this.#to] = [Number.POSITIVE_INFINITY, 0];
		this.#isWriting = true;
		try {
			await file.write(this.offset + from, this.bytes.subarray(from, to));
		} catch (error) {
			this.changed(from, to);
			throw error;
		} finally {
			this.#isWriting = false;
			this.#noted?.(this);
		}
		this.fresh = false;
	}
}

/** Tables in memory, by number. Those that the file has as they are make room for others. */
export class TableCache {
	readonly #tables = new Map<number, Table>();
	readonly #loading = new Map<number, Promise<Table>>();
	readonly #most: number;
	readonly #file: ImageFile;
	readonly #bytes: number;
	readonly #dirty = new Set<Table>();

	/**
	 * @param bytes - size of a table
	 * @param mostBytes - the tables that the file has as they are have no more than this together
	 */
	constructor(file: ImageFile, bytes: number, mostBytes: number) {
		this.#file = file;
		this.#bytes = bytes;
		this.#most = Math.max(2, Math.floor(mostBytes / bytes));
	}

	/** The table where it is in memory. */
	peek(index: number): Table | undefined {
		return this.#tables.get(index);
	}

	/** The table that lies at `offset`. */
	async load(index: number, offset: number): Promise<Table> {
		const kept = this.#tables.get(index);
		if (kept?.offset === offset) return kept;
		const other = this.#loading.get(offset);
		if (other !== undefined) return other;
		const loading = this.#read(index, offset);
		this.#loading.set(offset, loading);
		try {
			return await loading;
		} finally {
			this.#loading.delete(offset);
		}
	}

	async #read(index: number, offset: number): Promise<Table> {
		const table = this.#make(index, offset, false);
		await this.#file.read(offset, table.bytes);
		// A table that has changed is the one that counts: this one was where the disk had it before.
		const newer = this.#tables.get(index);
		if (newer?.offset === offset) return newer;
		if (!newer?.isDirty) this.#put(index, table);
		return table;
	}

	/** A new table, which nothing in the file refers to. It may take another one's place. */
	create(index: number, offset: number): Table {
		this.drop(index);
		const table = this.#make(index, offset, true);
		this.#put(index, table);
		return table;
	}

	/** Forgets a table, and what of it the file lacks. */
	drop(index: number): void {
		const table = this.#tables.get(index);
		if (table !== undefined) this.#dirty.delete(table);
		this.#tables.delete(index);
	}

	#make(index: number, offset: number, fresh: boolean): Table {
		const noted = (table: Table) => {
			if (!table.isDirty) this.#dirty.delete(table);
			else {
				this.#dirty.add(table);
				// It may have made room for others since it was looked for.
				this.#tables.set(index, table);
			}
		};
		return new Table(offset, Buffer.alloc(this.#bytes), {fresh, noted});
	}

	#put(index: number, table: Table): void {
		this.#tables.set(index, table);
		for (const [other, {isDirty}] of this.#tables) {
			if (this.#tables.size <= this.#most) return;
			if (!isDirty && other !== index) this.#tables.delete(other);
		}
	}

	clear(): void {
		this.#tables.clear();
	}

	/** The tables that the file does not have as they are. */
	get dirty(): readonly Table[] {
		return [...this.#dirty];
	}

	/** How many there are of them. */
	get dirtyCount(): number {
		return this.#dirty.size;
	}
}
