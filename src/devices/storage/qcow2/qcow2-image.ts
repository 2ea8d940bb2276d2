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
	imageError,
	type MappedRun,
	mostExtents,
	type Repair,
	RunKind,
	type RunUse,
	readExtent,
	type Target,
	Turns,
	wholeBlocks,
	writeZeros,
} from '#devices/storage/image';
import {checkQcow2, replaceCounts} from './check.ts';
import {CompressedClusters} from './decompress.ts';
import {compressedEntry, compressedPlace, copiedHigh, High, isSound, offsetOf, zeroBit} from './entries.ts';
import {Compatible, field, format, type Header, Incompatible, l1SizeFor, mostBytes, readHeader} from './header.ts';
import {L2Tables} from './l2-tables.ts';
import {OwnClusters} from './own-clusters.ts';
import {PackedClusters} from './packed-clusters.ts';
import {Refcounts} from './refcounts.ts';
import {Table} from './table.ts';

/** With so much in memory that the file lacks, it is written before more comes. */
const mostDirtyBytes = 64 * 2 ** 20;
/** With so much given back that its room waits for a flush, there is one before more is taken: not every guest flushes. */
const mostReleasedBytes = 2 ** 30;

/** A cluster that gets a new place, or its first one. */
interface Change {
	readonly cluster: number;
	readonly host: number;
	/** True when the host cluster was allocated for it. */
	readonly isNew: boolean;
}

/** What writing takes beside what reading does. */
interface Writing {
	readonly counts: Refcounts;
	readonly own: OwnClusters;
	readonly packed: PackedClusters;
}

/**
 * A qcow2 image (QEMU, docs/interop/qcow2.txt), versions 2 and 3.
 *
 * Its tables change in memory, and are written by {@link flush} in two steps with a flush of the file behind each: counts that rise and tables
 * that nothing refers to yet, together with the guest's data; then what refers to them. Counts that fall follow. Cut off anywhere, that leaves leaks at
 * most.
 */
export class Qcow2Image implements DiskImage {
	readonly format = format;
	readonly file: ImageFile;
	readonly below: DiskImage | undefined;
	#sizeBytes: number;
	/** Its size is the new one already while the disk grows. */
	#header: Header;
	readonly #tables: L2Tables;
	readonly #writing: Writing | undefined;
	readonly #compressed: CompressedClusters;
	readonly #turns = new Turns();
	readonly #inFlight = new InFlight();
	#clearsAutoclear: boolean;
	/** What a flush of the file failed with: nobody knows what is on stable storage. */
	#lost: unknown;

	private constructor(
		file: ImageFile,
		header: Header,
		tables: L2Tables,
		writing: Writing | undefined,
		below: DiskImage | undefined,
	) {
		this.file = file;
		this.below = below;
		this.#sizeBytes = header.sizeBytes;
		this.#header = header;
		this.#tables = tables;
		this.#writing = writing;
		this.#compressed = new CompressedClusters(file, header);
		this.#clearsAutoclear = header.hasAutoclear;
	}

	/**
	 * Opens an image, to be written too where the file is. Counts that a crash has left wrong (the dirty bit) are counted anew then.
	 * @param header - as {@link readHeader} has read it
	 * @param below - what {@link Header.backing} refers to
	 * @throws VmmError DISK_IMAGE_DAMAGED
	 */
	static async open(file: ImageFile, header: Header, below?: DiskImage): Promise<Qcow2Image> {
		if (!file.writable) return new Qcow2Image(file, header, await L2Tables.open(file, header), undefined, below);
		if (header.incompatible & Incompatible.corrupt)
			throw imageError('DISK_IMAGE_DAMAGED', {path: file.path, format, what: 'it is marked as corrupt'});
		const own = new OwnClusters(header.clusterBytes);
		own.add(0, 1);
		const counts = await Refcounts.open(file, header, own, () => image.#stable());
		const tables = await L2Tables.open(file, header, own);
		const packed = new PackedClusters(file, header, counts);
		const image: Qcow2Image = new Qcow2Image(file, header, tables, {counts, own, packed}, below);
		if (header.incompatible & Incompatible.dirty) await image.#countAnew();
		return image;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	get blockBytes(): number {
		return this.#header.clusterBytes;
	}

	get isDirty(): boolean {
		return this.#tables.isDirty || this.#writing?.counts.isDirty === true;
	}

	get #perTable(): number {
		return this.#header.clusterBytes / 8;
	}

	find(run: MappedRun, length: number, use: RunUse): boolean {
		const {offset} = run;
		const {clusterBytes} = this.#header;
		const isWritten = use === 'write';
		if (isWritten && (this.#writing === undefined || this.#lost !== undefined || this.#clearsAutoclear)) return false;
		const first = Math.floor(offset / clusterBytes);
		const number = Math.floor(first / this.#perTable);
		const table = this.#tables.peek(number);
		if (table === undefined || (isWritten && !(table !== null && this.#tables.isOwn(number)))) return false;
		const end = Math.min(offset + length, (number + 1) * this.#perTable * clusterBytes);
		if (table === null) {
			run.kind = RunKind.BELOW;
			run.length = end - offset;
			return true;
		}
		const {bytes} = table;
		const within = offset - first * clusterBytes;
		run.length = 0;
		for (let index = first - number * this.#perTable; offset + run.length < end; index++) {
			// Signed, which V8 has without allocating.
			const high = bytes.readInt32BE(index * 8);
			const low = bytes.readInt32BE(index * 8 + 4);
			if ((high & High.compressed) !== 0) break;
			const host = offsetOf(high, low);
			const isZero = (low & zeroBit) !== 0;
			const kind = isZero ? RunKind.ZERO : host === 0 ? RunKind.BELOW : RunKind.DATA;
			if (kind === RunKind.DATA && !isSound(host, clusterBytes)) break;
			if (isWritten && !(kind === RunKind.DATA && (high & High.copied) !== 0 && !this.#writing?.own.has(host))) break;
			if (run.length === 0) {
				run.kind = kind;
				run.fileOffset = host + within;
				run.length = Math.min(clusterBytes - within, end - offset);
			} else if (kind === run.kind && (kind !== RunKind.DATA || host === run.fileOffset + run.length))
				run.length = Math.min(run.length + clusterBytes, end - offset);
			else break;
		}
		return run.length > 0;
	}

	async map(offset: number, length: number): Promise<readonly Extent[]> {
		const {clusterBytes, clusterBits, sizeBytes} = this.#header;
		const end = Math.min(offset + length, sizeBytes);
		const extents: Extent[] = [];
		for (let at = offset; at < end && extents.length < mostExtents; ) {
			const cluster = Math.floor(at / clusterBytes);
			const index = Math.floor(cluster / this.#perTable);
			const peeked = this.#tables.peek(index);
			const table = peeked === undefined ? await this.#tables.get(index) : peeked;
			const tableEnd = Math.min(end, (index + 1) * this.#perTable * clusterBytes);
			if (table === null) {
				appendExtent(extents, {kind: 'below', offset: at, length: tableEnd - at});
				at = tableEnd;
				continue;
			}
			for (let i = cluster % this.#perTable; at < tableEnd && extents.length < mostExtents; i++) {
				const high = table.bytes.readUInt32BE(i * 8);
				const low = table.bytes.readUInt32BE(i * 8 + 4);
				const within = at % clusterBytes;
				const piece = {offset: at, length: Math.min(clusterBytes - within, end - at)};
				if (high & High.compressed) {
					const place = compressedPlace(high, low, clusterBits);
					const read = async (bytes: Uint8Array) =>
						bytes.set((await this.#compressed.read(place)).subarray(within, within + bytes.length));
					appendExtent(extents, {kind: 'compressed', ...piece, read});
				} else if (low & zeroBit) appendExtent(extents, {kind: 'zero', ...piece});
				else {
					const host = offsetOf(high, low);
					if (!isSound(host, clusterBytes))
						throw this.#damaged(`cluster ${index * this.#perTable + i} begins within a cluster`);
					if (host === 0) appendExtent(extents, {kind: 'below', ...piece});
					else appendExtent(extents, {kind: 'data', ...piece, fileOffset: host + within});
				}
				at += piece.length;
			}
		}
		return extents;
	}

	async allocate(offset: number, length: number): Promise<Allocation> {
		const {clusterBytes, sizeBytes} = this.#header;
		if (offset + length > sizeBytes) throw new RangeError(`${offset} + ${length} is beyond a disk of ${sizeBytes}`);
		const first = Math.floor(offset / clusterBytes);
		const last = Math.floor((offset + Math.max(length, 1) - 1) / clusterBytes);
		for (;;) {
			await this.#inFlight.waitFor(first, last);
			const done = await this.#turns.run(async () => {
				// It may have come in between.
				if (this.#inFlight.waitFor(first, last) !== undefined) return undefined;
				return this.#allocateNow(offset, length, first, last);
			});
			if (done !== undefined) return done;
		}
	}

	async #allocateNow(offset: number, length: number, first: number, last: number): Promise<Allocation> {
		const {clusterBytes} = this.#header;
		const {counts} = await this.#beginChange();
		const targets: Target[] = [];
		const changes: Change[] = [];
		const undo = () => {
			for (const {host, isNew} of changes) if (isNew) counts.release(host);
		};
		try {
			for (let cluster = first; length > 0 && cluster <= last; cluster++) {
				const start = Math.max(offset, cluster * clusterBytes);
				const end = Math.min(offset + length, (cluster + 1) * clusterBytes);
				const host = await this.#place(cluster, start, end, changes);
				appendTarget(targets, {
					offset: start,
					length: end - start,
					fileOffset: host + (start - cluster * clusterBytes),
				});
			}
		} catch (error) {
			undo();
			throw error;
		}
		if (changes.length === 0) return {targets, finish: async () => {}, abandon: async () => {}};
		const done = this.#inFlight.begin(changes.map(({cluster}) => cluster));
		return {
			targets,
			finish: () => this.#turns.run(() => this.#link(changes).finally(undo)).finally(done),
			abandon: () => this.#turns.run(async () => undo()).finally(done),
		};
	}

	/** The host cluster for a write to bytes from `start` to `end` of a cluster; its other bytes are there. */
	async #place(cluster: number, start: number, end: number, changes: Change[]): Promise<number> {
		const {clusterBytes} = this.#header;
		const {counts, own} = this.#writable;
		const table = await this.#tables.get(Math.floor(cluster / this.#perTable));
		const index = cluster % this.#perTable;
		const [high, low] =
			table === null ? [0, 0] : [table.bytes.readUInt32BE(index * 8), table.bytes.readUInt32BE(index * 8 + 4)];
		const isOwnTable = table !== null && this.#tables.isOwn(Math.floor(cluster / this.#perTable));
		const stays = isOwnTable && (high & High.copied) !== 0 && (high & High.compressed) === 0;
		let [host, blank] = [offsetOf(high, low), false];
		if (stays && host !== 0) {
			if (!isSound(host, clusterBytes)) throw this.#damaged(`cluster ${cluster} begins within a cluster`);
			if (own.has(host)) throw this.#damaged(`cluster ${cluster} lies where a table of it does`);
			if ((low & zeroBit) === 0) return host;
			changes.push({cluster, host, isNew: false});
		} else {
			({offset: host, blank} = await counts.allocate());
			changes.push({cluster, host, isNew: true});
		}
		const from = cluster * clusterBytes;
		if (start > from) await this.#fill(from, start, host, blank);
		if (end < from + clusterBytes) await this.#fill(end, from + clusterBytes, host + (end - from), blank);
		return host;
	}

	/** Copies the disk's bytes from `start` to `end`, of one cluster, to `fileOffset`. */
	async #fill(start: number, end: number, fileOffset: number, blank: boolean): Promise<void> {
		const inside = Math.min(end, this.#header.sizeBytes);
		for (let at = start; at < end; ) {
			// Behind the end of the disk there are zeros.
			const extents: readonly Extent[] =
				at < inside ? await this.map(at, inside - at) : [{kind: 'zero', offset: at, length: end - at}];
			for (const extent of extents) {
				const isZero = extent.kind === 'zero' || (extent.kind === 'below' && this.below === undefined);
				if (!(isZero && blank)) {
					const bytes = new Uint8Array(extent.length);
					await readExtent(this, extent, bytes);
					await this.file.write(fileOffset + (extent.offset - start), bytes);
				}
				at = extent.offset + extent.length;
			}
		}
	}

	/** Lets the disk have clusters in their new places; leaves those that it does not get. */
	async #link(changes: Change[]): Promise<void> {
		const {counts} = this.#writable;
		changes.reverse();
		for (let change = changes.at(-1); change !== undefined; change = changes.at(-1)) {
			const {cluster, host, isNew} = change;
			const table = await this.#tables.own(Math.floor(cluster / this.#perTable), counts);
			const index = cluster % this.#perTable;
			if (isNew) this.#releaseEntry(table, index);
			table.setEntry(index, copiedHigh(host), host % 2 ** 32);
			changes.pop();
		}
		this.#compressed.forget();
	}

	async writeCompressed(offset: number, bytes: Uint8Array): Promise<boolean> {
		const {clusterBytes, clusterBits, sizeBytes} = this.#header;
		const cluster = offset / clusterBytes;
		if (!Number.isInteger(cluster) || bytes.length !== Math.min(clusterBytes, sizeBytes - offset))
			throw new RangeError(`${offset} + ${bytes.length} is no cluster of a disk of ${sizeBytes}`);
		const whole = new Uint8Array(clusterBytes);
		whole.set(bytes);
		const packed = await this.#writable.packed.compress(whole);
		if (packed === undefined) return false;
		for (;;) {
			await this.#inFlight.waitFor(cluster, cluster);
			const done = await this.#turns.run(async () => {
				if (this.#inFlight.waitFor(cluster, cluster) !== undefined) return undefined;
				const {counts, packed: clusters} = await this.#beginChange();
				const table = await this.#tables.own(Math.floor(cluster / this.#perTable), counts);
				const place = await clusters.write(packed);
				if (place === undefined) return false;
				this.#releaseEntry(table, cluster % this.#perTable);
				table.setEntry(cluster % this.#perTable, ...compressedEntry(place, clusterBits));
				this.#compressed.forget();
				return true;
			});
			if (done !== undefined) return done;
		}
	}

	/** What an entry refers to loses a reference. */
	#releaseEntry(table: Table, index: number): void {
		const {clusterBytes, clusterBits} = this.#header;
		const [high, low] = [table.bytes.readUInt32BE(index * 8), table.bytes.readUInt32BE(index * 8 + 4)];
		const {counts, own, packed} = this.#writable;
		if (high & High.compressed) {
			packed.forget();
			const {offset, bytes} = compressedPlace(high, low, clusterBits);
			const start = Math.floor(offset / clusterBytes) * clusterBytes;
			for (let at = start; at < offset + bytes; at += clusterBytes) if (!own.has(at)) counts.release(at);
			return;
		}
		const host = offsetOf(high, low);
		if (host !== 0 && isSound(host, clusterBytes) && !own.has(host)) counts.release(host);
	}

	async zero(offset: number, length: number): Promise<void> {
		const {clusterBytes, sizeBytes, version} = this.#header;
		const {start, end} = wholeBlocks(offset, length, clusterBytes);
		// The end of the disk ends a cluster.
		const wholeEnd = offset + length >= sizeBytes ? sizeBytes : end;
		if (start >= wholeEnd || (version === 2 && this.below !== undefined)) return this.#writeZeros(offset, length);
		if (start > offset) await this.#writeZeros(offset, start - offset);
		await this.#clear(start, wholeEnd);
		if (offset + length > wholeEnd) await this.#writeZeros(wholeEnd, offset + length - wholeEnd);
	}

	async discard(offset: number, length: number): Promise<void> {
		const {clusterBytes, sizeBytes, version} = this.#header;
		const {start, end} = wholeBlocks(offset, Math.min(length, sizeBytes - offset), clusterBytes);
		const wholeEnd = offset + length >= sizeBytes ? sizeBytes : end;
		// Version 2 has no mark for zeros: what is below would show.
		if (start >= wholeEnd || (version === 2 && this.below !== undefined)) return;
		await this.#clear(start, wholeEnd);
	}

	/** Writes zeros where the disk may have other bytes. */
	async #writeZeros(offset: number, length: number): Promise<void> {
		const end = Math.min(offset + length, this.#header.sizeBytes);
		for (let at = offset; at < end; ) {
			for (const extent of await this.map(at, end - at)) {
				at = extent.offset + extent.length;
				if (extent.kind === 'zero' || (extent.kind === 'below' && this.below === undefined)) continue;
				await writeZeros(this, extent.offset, extent.length);
			}
		}
	}

	/** Gives clusters back, so that they read as zeros. `end` may be the end of the disk. */
	async #clear(start: number, end: number): Promise<void> {
		const {clusterBytes} = this.#header;
		const lastCluster = Math.ceil(end / clusterBytes);
		for (let cluster = Math.floor(start / clusterBytes); cluster < lastCluster; ) {
			const stop = Math.min(lastCluster, (Math.floor(cluster / this.#perTable) + 1) * this.#perTable);
			await this.#inFlight.waitFor(cluster, stop - 1);
			const done = await this.#turns.run(async () => {
				if (this.#inFlight.waitFor(cluster, stop - 1) !== undefined) return false;
				await this.#clearInTable(cluster, stop);
				return true;
			});
			if (done) cluster = stop;
		}
	}

	/** Clears clusters of one L2 table. */
	async #clearInTable(first: number, stop: number): Promise<void> {
		const {counts} = await this.#beginChange();
		const tableIndex = Math.floor(first / this.#perTable);
		// What was never there needs no mark, unless something is below. Version 2 has none.
		const cleared =
			this.#header.version === 2 || this.below === undefined || first * this.blockBytes >= this.below.sizeBytes
				? 0
				: zeroBit;
		if (this.#tables.offset(tableIndex) === 0 && cleared === 0) return;
		const table = await this.#tables.own(tableIndex, counts);
		for (let index = first % this.#perTable; index < first - tableIndex * this.#perTable + (stop - first); index++) {
			const [high, low] = [table.bytes.readUInt32BE(index * 8), table.bytes.readUInt32BE(index * 8 + 4)];
			if (high === 0 && low === cleared) continue;
			this.#releaseEntry(table, index);
			table.setEntry(index, 0, cleared);
		}
		this.#compressed.forget();
	}

	async flush(): Promise<void> {
		await this.#turns.run(async () => {
			if (this.#lost !== undefined) throw this.#lost;
			await this.#sync();
		});
	}

	/** Writes what is in memory, in an order that is sound at each moment. */
	async #sync(): Promise<void> {
		if (this.#writing === undefined) return;
		const {counts} = this.#writing;
		if (counts.isDirty || this.#tables.isDirty) {
			await counts.writeRaised();
			await this.#tables.writeFresh();
		}
		await this.#stable();
		if (this.#tables.isDirty) {
			await this.#tables.writeLinks();
			await this.#stable();
		}
		// Whoever reads what was compressed reads it to the end.
		await this.#compressed.settled();
		const free = await counts.applyReleases();
		for (let [first, next] = [0, 1]; first < free.length; first = next++) {
			// A run of them by one call.
			while (free[next] === (free[next - 1] as number) + this.blockBytes) next++;
			await this.file.punch(free[first] as number, (next - first) * this.blockBytes);
		}
	}

	async #stable(): Promise<void> {
		try {
			await this.file.flush();
		} catch (error) {
			this.#lost = error;
			throw error;
		}
	}

	async resize(sizeBytes: number, progress?: (done: number, total: number) => void): Promise<void> {
		const {clusterBytes, version, snapshotCount} = this.#header;
		const old = this.sizeBytes;
		const invalid = (what: string) =>
			imageError('DISK_IMAGE_SIZE_INVALID', {path: this.file.path, format, sizeBytes, what});
		if (sizeBytes % 512 !== 0) throw invalid('it is no multiple of 512');
		if (sizeBytes > mostBytes(clusterBytes)) throw invalid(`clusters of ${clusterBytes} bytes are too small for it`);
		if (version === 2 && snapshotCount > 0 && sizeBytes !== old)
			throw imageError('DISK_IMAGE_UNSUPPORTED', {
				path: this.file.path,
				format,
				what: 'it has snapshots, which do not know the size of their disk (version 2)',
			});
		if (sizeBytes < old) {
			// The tail of a cluster that stays is cleared when the disk grows again.
			const from = Math.ceil(sizeBytes / clusterBytes) * clusterBytes;
			await byParts(from, old, clusterBytes, progress, (start, end) => this.#clear(start, end));
		}
		try {
			if (sizeBytes > old) await this.#clearBehind(old, sizeBytes, progress);
			await this.#turns.run(async () => {
				await this.#beginChange();
				await this.#sync();
				await this.#writeHeader(field.size, u64Bytes(sizeBytes));
				this.#sizeBytes = sizeBytes;
			});
		} finally {
			this.#header = {...this.#header, sizeBytes: this.#sizeBytes};
		}
		await this.flush();
	}

	/**
	 * Has a disk that is to grow read as zeros there, whatever its last cluster has and what is below. The file has that before the new size: a crash in
	 * between leaves marks that nobody sees.
	 */
	async #clearBehind(from: number, to: number, progress?: (done: number, total: number) => void): Promise<void> {
		const {clusterBytes} = this.#header;
		await this.#turns.run(async () => {
			await this.#beginChange();
			await this.#sync();
			if (l1SizeFor(to, clusterBytes) > this.#tables.l1Size) await this.#growL1(to);
			this.#header = {...this.#header, sizeBytes: to};
		});
		const [last, below] = [from, this.below?.sizeBytes ?? 0].map((end) => Math.ceil(end / clusterBytes) * clusterBytes);
		const end = Math.min(Math.max(last as number, below as number), to);
		await byParts(from, end, clusterBytes, progress, (at, stop) => this.zero(at, stop - at));
	}

	/** Gives the L1 table a new place, with room for a disk of another size. */
	async #growL1(sizeBytes: number): Promise<void> {
		const {counts, own} = this.#writable;
		const {clusterBytes} = this.#header;
		const old = this.#tables.l1;
		const entries = l1SizeFor(sizeBytes, clusterBytes);
		const offset = await counts.allocateRun(Math.ceil((entries * 8) / clusterBytes));
		const l1 = new Table(offset, Buffer.alloc(entries * 8), {fresh: true});
		old.bytes.copy(l1.bytes);
		await counts.writeRaised();
		await l1.write(this.file);
		await this.#stable();
		const reference = Buffer.alloc(12);
		reference.writeUInt32BE(entries);
		reference.writeBigUInt64BE(BigInt(offset), 4);
		await this.#writeHeader(field.l1Size, reference);
		this.#tables.l1 = l1;
		own.add(offset, entries * 8);
		own.remove(old.offset, old.bytes.length);
		for (let at = 0; at < old.bytes.length; at += clusterBytes) counts.release(old.offset + at);
	}

	async check(repair?: Repair, progress?: (done: number, total: number) => void): Promise<CheckResult> {
		return this.#turns.run(async () => {
			if (repair !== undefined) await this.#beginChange();
			await this.#sync();
			const counts =
				this.#writing?.counts ??
				(await Refcounts.open(this.file, this.#header, new OwnClusters(this.blockBytes), () => this.#stable()));
			const subject = {
				file: this.file,
				header: this.#header,
				counts,
				l1: this.#tables.l1.bytes,
				l1Offset: this.#tables.l1.offset,
			};
			const result = await checkQcow2(subject, repair, progress);
			if (repair !== undefined) {
				this.#tables.forget();
				await this.#sync();
			}
			return result;
		});
	}

	/** Makes the counts of an image that was not closed what its tables say. */
	async #countAnew(): Promise<void> {
		const {counts} = this.#writable;
		const subject = {
			file: this.file,
			header: this.#header,
			counts,
			l1: this.#tables.l1.bytes,
			l1Offset: this.#tables.l1.offset,
		};
		await replaceCounts(subject);
		this.#tables.forget();
		await this.#sync();
		await this.#stable();
		const incompatible = this.#header.incompatible & ~Incompatible.dirty;
		const bits = Buffer.alloc(4);
		bits.writeUInt32BE(incompatible);
		await this.#writeHeader(field.incompatibleLow, bits);
		this.#header = {...this.#header, incompatible};
	}

	facts(): ImageFacts {
		const {version, refcountOrder, compatible, compression, snapshotCount, incompatible} = this.#header;
		return {
			version,
			refcountBits: 2 ** refcountOrder,
			lazyRefcounts: (compatible & Compatible.lazyRefcounts) !== 0,
			compression,
			snapshots: snapshotCount,
			dirty: (incompatible & Incompatible.dirty) !== 0,
			corrupt: (incompatible & Incompatible.corrupt) !== 0,
		};
	}

	async close(): Promise<void> {
		try {
			await this.flush();
			if (this.#writing !== undefined) await this.file.flush();
		} finally {
			await this.file.close();
		}
	}

	get #writable(): Writing {
		if (this.#writing === undefined) throw new TypeError(`${this.file.path} is open to be read only`);
		return this.#writing;
	}

	/** Before a change: what the file says that would be wrong afterwards goes, and memory has room. */
	async #beginChange(): Promise<Writing> {
		const writing = this.#writable;
		if (this.#lost !== undefined) throw this.#lost;
		if (this.#clearsAutoclear) {
			await this.#writeHeader(field.autoclear, Buffer.alloc(8));
			this.#clearsAutoclear = false;
			this.#header = {...this.#header, hasAutoclear: false, bitmaps: undefined};
		}
		const {counts} = writing;
		if (counts.dirtyBytes + this.#tables.dirtyBytes > mostDirtyBytes || counts.releasedBytes > mostReleasedBytes)
			await this.#sync();
		return writing;
	}

	async #writeHeader(at: number, bytes: Uint8Array): Promise<void> {
		await this.file.write(at, bytes);
		await this.#stable();
	}

	#damaged(what: string) {
		return imageError('DISK_IMAGE_DAMAGED', {path: this.file.path, format, what});
	}
}

function u64Bytes(value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64BE(BigInt(value));
	return bytes;
}

/** Opens an image whose disk lies over none. @throws VmmError DISK_IMAGE_DAMAGED, DISK_IMAGE_UNSUPPORTED */
export const openQcow2 = async (file: ImageFile, below?: DiskImage): Promise<Qcow2Image> =>
	Qcow2Image.open(file, await readHeader(file), below);
