import {workerData} from 'node:worker_threads';
import {leaveOwner, serveOwner} from '#support/rpc';
import {DeviceWorker, type DeviceWorkerData} from './device-worker.ts';

const worker = new DeviceWorker(workerData as DeviceWorkerData);
serveOwner(worker);
await worker.run();
leaveOwner();
