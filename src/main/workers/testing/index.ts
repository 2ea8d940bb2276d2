export {InProcessWorkers} from './in-process-workers.ts';
