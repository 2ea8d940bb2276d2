import {addressOf} from '#support/ffi';
import {
	ledgerBytes,
	type MappedRange,
	type MemoryHandle,
	type MemoryRange,
	pageBytes,
	pageClockBytes,
} from '../index.ts';

/** RAM for tests, each range in a buffer of its own, whose pages are the host's, with nothing else under it. */
export function plainMemory(...ranges: readonly MemoryRange[]): MemoryHandle {
	return {ranges: ranges.map(plainRange), clock: new SharedArrayBuffer(pageClockBytes)};
}

function plainRange({gpa, length}: MemoryRange): MappedRange {
	const buffer = new SharedArrayBuffer(length + pageBytes);
	const address = Number(addressOf(buffer));
	const offset = (pageBytes - (address % pageBytes)) % pageBytes;
	const ledger = {memory: {buffer: new SharedArrayBuffer(ledgerBytes(length))}, offset: 0};
	return {gpa, length, memory: {buffer}, offset, hostAddress: address + offset, discards: 'zeros', ledger};
}
