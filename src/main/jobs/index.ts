export {createJobPool, type JobPool} from './job-pool.ts';
export {chunkBytes} from './save-memory.ts';
