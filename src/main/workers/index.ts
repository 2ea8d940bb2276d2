export {embeddedGuest, guestAgent, workerUrls} from './bundled-files.ts';
export {type DevicePlace, DevicePool} from './device-pool.ts';
export type {VcpuPlace} from './vcpu-pool.ts';
export {type MachineWorkers, WorkerStock} from './worker-stock.ts';
