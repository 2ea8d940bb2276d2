export {virtioScsiMmioType, virtioScsiPciType} from './device-types.ts';
export {type VirtioScsiConfig, virtioScsiKind} from './handle.ts';
export {virtioScsiPciOver} from './virtio-scsi.ts';
