export {virtioNetMmioType, virtioNetPciType} from './device-types.ts';
export type {LinkCommand} from './virtio-net.ts';
export {virtioNetMmio, virtioNetOver, virtioNetPci} from './virtio-net.ts';
