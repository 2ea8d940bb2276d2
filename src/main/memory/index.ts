export type {RamContents} from './backing.ts';
export {allocateRam, type GuestRam} from './guest-ram.ts';
export {prefetchRam} from './prefetch.ts';
