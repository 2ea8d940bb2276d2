export {virtioPmemType} from './device-type.ts';
export type {VirtioPmemConfig} from './pmem-back.ts';
export {virtioPmemPci} from './virtio-pmem.ts';
