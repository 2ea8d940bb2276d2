import {addressOf} from '#support/ffi';
import {ledgerBytes, type MappedRange, type MemoryHandle, type MemoryRange, pageClockBytes} from '../index.ts';

/** RAM for tests, each range in a buffer of its own with nothing else under it. */
export function plainMemory(...ranges: readonly MemoryRange[]): MemoryHandle {
	return {ranges: ranges.map(plainRange), clock: new SharedArrayBuffer(pageClockBytes)};
}

function plainRange({gpa, length}: MemoryRange): MappedRange {
	const buffer = new SharedArrayBuffer(length);
	const ledger = {memory: {buffer: new SharedArrayBuffer(ledgerBytes(length))}, offset: 0};
	return {gpa, length, memory: {buffer}, offset: 0, hostAddress: Number(addressOf(buffer)), ledger};
}
