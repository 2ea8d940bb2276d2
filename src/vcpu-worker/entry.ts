import {workerData} from 'node:worker_threads';
import {serveOwner} from '#support/rpc';
import {VcpuWorker, type VcpuWorkerData} from '#vcpu-worker/worker';

serveOwner(new VcpuWorker(workerData as VcpuWorkerData));
