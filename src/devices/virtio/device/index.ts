export type {QueueDeclaration, VirtioBack, VirtioDevice, VirtioServices} from './declaration.ts';
export {flaggedPlace, mmioOptions, mmioPlace} from './mmio-options.ts';
export type {SharedMemory, SharedRegion} from './shared-memory.ts';
export {type MmioPlace, type OnMmio, virtioMmio} from './virtio-mmio.ts';
export {virtioPci} from './virtio-pci.ts';
