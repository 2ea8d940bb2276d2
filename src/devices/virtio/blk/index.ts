export {virtioBlkMmioType, virtioBlkPciType} from './device-types.ts';
export {type VirtioBlkConfig, virtioBlkKind} from './handle.ts';
export {virtioBlkMmio, virtioBlkOver, virtioBlkPci} from './virtio-blk.ts';
