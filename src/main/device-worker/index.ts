export {DeviceWorker, type DeviceWorkerData, type DeviceWorkerHost, type RunningReactor} from './device-worker.ts';
