export {VcpuWorker} from './vcpu-worker.ts';
export type {VcpuWorkerData} from './worker-data.ts';
