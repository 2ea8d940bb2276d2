import {addressOf} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';

/** What the host's file system has refused once, which is not tried again. */
export interface FileLimits {
	/** Writes that are durable by themselves (RWF_DSYNC). */
	hasDurableWrites: boolean;
	hasHoles: boolean;
	hasZeroRanges: boolean;
	/** What addresses of memory have to be multiples of; 1 without direct I/O. */
	readonly alignment: number;
	/** Made when it is wanted. */
	zeros?: Zeros;
}

/** Zeros that are written at once where a file system knows no better way. */
export const zerosBytes = 2 ** 18;

/** Pages of zeros for any number of writes; of the kernel's one page, as long as nobody writes to them. */
export class Zeros {
	readonly address: number;
	readonly buffer: SharedArrayBuffer;

	constructor() {
		this.buffer = allocateSharedPages(zerosBytes);
		this.address = Number(addressOf(this.buffer));
	}
}
