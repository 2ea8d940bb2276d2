import {errorTable} from '#support/errors';

/** Faults of a partition that is to be a disk. */
export const partitionError = errorTable({
	DISK_PARTITION_TABLE: (c: {cause: string}) => ({
		message: `The disk has no partition table that can be used: ${c.cause}`,
		remedy: 'Look at it with sfdisk --verify, or say where the partition lies, with part;offset=LEN;length=LEN',
	}),
	DISK_PARTITION_MISSING: (c: {wanted: string; found: string}) => ({
		message: `The disk has no partition ${c.wanted}; it has ${c.found}`,
		remedy: 'Name one that it has',
	}),
	DISK_PARTITION_AMBIGUOUS: (c: {wanted: string; found: string}) => ({
		message: `The disk has several partitions ${c.wanted}: numbers ${c.found}`,
		remedy: 'Give the number',
	}),
	DISK_PARTITION_PLACE: (c: {wanted: string; cause: string}) => ({
		message: `The partition ${c.wanted} cannot be a disk: ${c.cause}`,
		remedy: 'Look at the table with sfdisk --verify',
	}),
});
