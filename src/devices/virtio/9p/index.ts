export {virtio9pMmioType, virtio9pPciType} from './device-types.ts';
