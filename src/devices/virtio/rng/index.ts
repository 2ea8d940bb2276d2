export {virtioRngMmio, virtioRngPci} from './virtio-rng.ts';
