export {VcpuWorker, type VcpuWorkerData} from './vcpu-worker.ts';
