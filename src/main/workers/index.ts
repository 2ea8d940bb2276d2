export {assembledGuest, workerUrls} from './bundled-files.ts';
export {WorkerStock} from './worker-stock.ts';
