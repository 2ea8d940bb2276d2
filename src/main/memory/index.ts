export type {RamContents} from './backing.ts';
export {allocateRam, type BankRequest, type GuestRam, holdRam, type RamBank} from './guest-ram.ts';
export {prefetchRam} from './prefetch.ts';
export {ramPieces, writeRam} from './write-ram.ts';
