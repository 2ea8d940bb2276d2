/** A range of a disk, in bytes. */
export interface DiskRange {
	readonly start: number;
	readonly length: number;
}

/** A partition as a table has it. Numbers are those that Linux gives: from 1 on, and logical ones from 5 on. */
export interface Partition extends DiskRange {
	readonly number: number;
	/** As `/dev/disk/by-partuuid` has it, in small letters; empty for none. */
	readonly uuid: string;
	/** As `/dev/disk/by-partlabel` has it; empty for none. */
	readonly label: string;
}

/** What is read of a partition table, of which nothing is believed yet but that its checksums are right. */
export interface PartitionTable {
	readonly partitions: readonly Partition[];
	/** Where the table itself lies. */
	readonly own: readonly DiskRange[];
}

/** Reads a part of the disk that the table is on; whoever calls has looked that it has so much. */
export type ReadPart = (offset: number, length: number) => Promise<Buffer>;
