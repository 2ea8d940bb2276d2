export {virtioNetMmioType, virtioNetPciType} from './device-types.ts';
export {virtioNetId, virtioNetKind} from './handle.ts';
export type {LinkCommand} from './virtio-net.ts';
export {virtioNetMmio, virtioNetOver, virtioNetPci} from './virtio-net.ts';
