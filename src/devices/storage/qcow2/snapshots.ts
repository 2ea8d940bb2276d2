import type {Faults, ImageFile} from '#devices/storage/image';
import type {Header} from './header.ts';

const limits = {l1Entries: 2 ** 22, extraBytes: 1024, tableBytes: 64 * 2 ** 20} as const;
/** Bytes of an entry before its parts of any length. */
const entryBytes = 40;

/** The L1 table of a snapshot. */
export interface SnapshotTable {
	readonly name: string;
	readonly offset: number;
	/** Number of its entries. */
	readonly size: number;
}

/**
 * Finds the tables of an image's snapshots (qcow2.txt, "Snapshots").
 * @returns them, and how many bytes the snapshot table has
 */
export async function readSnapshots(
	file: ImageFile,
	{snapshotCount, snapshotsOffset}: Header,
	faults: Faults,
): Promise<{tables: readonly SnapshotTable[]; bytes: number}> {
	const tables: SnapshotTable[] = [];
	const entry = Buffer.alloc(entryBytes);
	let at = snapshotsOffset;
	for (let number = 1; number <= snapshotCount; number++) {
		await file.read(at, entry);
		const name = `snapshot ${number}`;
		const offset = Number(entry.readBigUInt64BE(0));
		const size = entry.readUInt32BE(8);
		const extra = entry.readUInt32BE(36);
		const bytes = entryBytes + extra + entry.readUInt16BE(12) + entry.readUInt16BE(14);
		if (size > limits.l1Entries || extra > limits.extraBytes || at + bytes - snapshotsOffset > limits.tableBytes) {
			faults.add(`${name} cannot be: its L1 table has ${size} entries, and its entry ${bytes} bytes`);
			break;
		}
		tables.push({name, offset, size});
		at += Math.ceil(bytes / 8) * 8;
	}
	return {tables, bytes: at - snapshotsOffset};
}
