import {errorTable} from '#support/errors';

/** Errors of who asks for a disk of another length while it is used. */
export const diskLengthError = errorTable({
	DISK_LENGTH_FIXED: (c: {bytes: number; wanted: number}) => ({
		message: `The disk has ${c.bytes} bytes, and no way to have ${c.wanted}`,
		remedy: 'Of a raw file make that longer, for example with truncate, and have it looked at without a size',
	}),
	DISK_LENGTH_REFUSED: (c: {bytes: number; wanted: number; sector: number; cause: string}) => ({
		message: `The disk has ${c.bytes} bytes and cannot have ${c.wanted} now: ${c.cause}`,
		remedy: `Give more, in multiples of ${c.sector}; openvmm disk resize --shrink makes it shorter while no machine has it`,
	}),
});
