import {ledgerBytes, type MappedRange} from '#devices/guest-memory';
import {Advice, addressOf, advise} from '#support/ffi';
import {allocateSharedMemory, type SharedMemory} from '#support/shared-memory';

/** Pages of the host's that one BAR is: plain data that structured clone can copy. */
export interface HostPages {
	readonly memory: SharedMemory;
	/** In bytes. */
	readonly length: number;
	/** State of the pages that all threads share; see `MappedRange.ledger`. */
	readonly ledger: SharedArrayBuffer;
}

/** Pages that are zero, and committed when they are touched. @throws RangeError when there is no room for them */
export function allocatePages(length: number): HostPages {
	const memory = allocateSharedMemory(length);
	// A core dump of this process is not a dump of its guests.
	advise(addressOf(memory.buffer), length, Advice.DONTDUMP);
	return {memory, length, ledger: new SharedArrayBuffer(ledgerBytes(length))};
}

/** The pages as memory that lies at an address of the guest's. */
export const rangeOf = ({memory, length, ledger}: HostPages, gpa: number): MappedRange => ({
	gpa,
	length,
	memory,
	offset: 0,
	hostAddress: Number(addressOf(memory.buffer)),
	ledger: {memory: {buffer: ledger}, offset: 0},
});
