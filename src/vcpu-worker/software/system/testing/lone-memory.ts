import {ledgerBytes, MappedMemory, type MemoryHandle, pageClockBytes} from '#devices/guest-memory';
import {allocateSharedMemory} from '#support/shared-memory';
import {createSharedParts, type SharedParts} from '#vcpu-worker/software/shared';

/** RAM from 0 on, and what processors share, for a test of processors without a machine. */
export interface LoneMemory {
	readonly ram: Uint8Array;
	readonly memory: MappedMemory;
	/** The memory for other threads. */
	readonly handle: MemoryHandle;
	readonly shared: SharedParts;
}

/** Makes RAM of some bytes and what so many processors share. */
export function loneMemory(bytes: number, processors = 1, shared = createSharedParts(processors)): LoneMemory {
	const memory = allocateSharedMemory(bytes);
	const ledger = {memory: {buffer: new SharedArrayBuffer(ledgerBytes(bytes))}, offset: 0};
	const range = {gpa: 0, length: bytes, memory, offset: 0, hostAddress: 0, ledger};
	const handle = {ranges: [range], clock: new SharedArrayBuffer(pageClockBytes), watch: shared.watch};
	return {ram: new Uint8Array(memory.buffer), memory: new MappedMemory(handle), handle, shared};
}
