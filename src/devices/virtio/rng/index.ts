export {virtioRngMmioType, virtioRngPciType} from './device-types.ts';
export {virtioRngMmio, virtioRngPci} from './virtio-rng.ts';
