export {virtioVsockMmioType, virtioVsockPciType} from './device-types.ts';
export {portPath, type VirtioVsockConfig, virtioVsockKind} from './handle.ts';
