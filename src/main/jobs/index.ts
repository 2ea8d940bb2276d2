export {createJobPool, type JobPool} from './job-pool.ts';
