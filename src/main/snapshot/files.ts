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
