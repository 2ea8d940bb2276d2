export {DeviceWorker, type DeviceWorkerData} from './device-worker.ts';
