export {virtioBalloonMmioType, virtioBalloonPciType} from './device-types.ts';
export {mostTarget, type VirtioBalloonConfig, virtioBalloonKind} from './handle.ts';
export {balloonTarget} from './virtio-balloon.ts';
