/** Files of a snapshot folder. Names are fixed: nothing in a snapshot leads to another place. */
export const snapshotFiles = {
	/** Versions, checks, and the machine's shape, as JSON. */
	manifest: 'manifest.json',
	/** Every state unit's state, as JSON. */
	state: 'state.json',
	/** Guest RAM, range after range as the memory layout has them; pages of zeros are holes. */
	memory: 'memory.bin',
	/** What disks have in memory of the host's, part after part as the manifest has them; pages of zeros are holes. */
	disks: 'disks.bin',
} as const;

/** One of them. */
export type SnapshotFile = keyof typeof snapshotFiles;

/** One that is being written. Closing it leaves it there. */
export interface NewFile extends AsyncDisposable {
	readonly fd: number;
	truncate(bytes: number): Promise<void>;
	writeFile(text: string): Promise<void>;
}

/** Makes one of a snapshot's files. @throws NodeJS.ErrnoException */
export type CreateFile = (name: SnapshotFile) => Promise<NewFile>;
