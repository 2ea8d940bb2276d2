export {assembledGuest, publicApi, workerUrls} from './bundled-files.ts';
export {WorkerStock} from './worker-stock.ts';
