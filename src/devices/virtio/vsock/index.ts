export {virtioVsockMmioType, virtioVsockPciType} from './device-types.ts';
export {portPath, type VirtioVsockConfig, virtioVsockId, virtioVsockKind} from './handle.ts';
