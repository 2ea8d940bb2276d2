export type {RamContents} from './backing.ts';
export {allocateRam, type BankRequest, type GuestRam, holdRam} from './guest-ram.ts';
export {prefetchRam} from './prefetch.ts';
export type {RamBank} from './ram-bank.ts';
export {ramPieces, writeRam} from './write-ram.ts';
