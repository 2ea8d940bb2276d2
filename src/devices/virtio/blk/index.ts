export {virtioBlkMmioType, virtioBlkPciType} from './device-types.ts';
export {parseBlkDisk} from './flags.ts';
export {type VirtioBlkConfig, virtioBlkId, virtioBlkKind} from './handle.ts';
export {virtioBlkMmio, virtioBlkOver, virtioBlkPci} from './virtio-blk.ts';
