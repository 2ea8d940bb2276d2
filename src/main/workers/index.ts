export {embeddedGuest, workerUrls} from './bundled-files.ts';
export {type MachineWorkers, WorkerStock} from './worker-stock.ts';
