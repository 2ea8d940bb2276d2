export type {GuestMemory, MemoryRange} from './guest-memory.ts';
