export {announcing} from './announcing.ts';
export type {Doorbell, GuestEnd} from './guest-thread.ts';
export {type GuestStart, GuestThreads} from './guest-threads.ts';
export {type LoneMemory, loneMemory} from './lone-memory.ts';
