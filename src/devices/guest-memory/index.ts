export type {GuestMemory} from './guest-memory.ts';
export {fence, GuestWindow} from './guest-window.ts';
export {type DmaDirection, IoVectors} from './io-vectors.ts';
export {MappedMemory} from './mapped-memory.ts';
export type {LedgerPlace, MappedRange, MemoryHandle, MemoryRange} from './memory-range.ts';
export {pageClockBytes} from './page-clock.ts';
export {ledgerBytes, PinCount, pageBytes} from './page-ledger.ts';
export type {MemoryGate} from './piece-access.ts';
export {type DirtySource, type PageVisitor, WriteLog} from './write-log.ts';
