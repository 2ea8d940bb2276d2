import {addressOf} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';

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
