export type {GuestMemory, MemoryRange} from './guest-memory.ts';
export {MappedMemory, type MappedRange} from './mapped-memory.ts';
