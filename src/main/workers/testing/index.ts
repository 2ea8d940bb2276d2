export {type InProcessThread, InProcessWorkers} from './in-process-workers.ts';
