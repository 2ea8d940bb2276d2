export {virtioFsMmioType, virtioFsPciType} from './device-types.ts';
export {type VirtioFsConfig, virtioFsId, virtioFsKind} from './handle.ts';
export {mostTagBytes} from './layout.ts';
export {virtioFsOver} from './virtio-fs.ts';
