export {DeviceWorker, type DeviceWorkerData, type DeviceWorkerHost} from './device-worker.ts';
