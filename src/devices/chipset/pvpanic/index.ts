export {type PvpanicConfig, pvpanic, pvpanicKind, pvpanicPort} from './device.ts';
export {pvpanicType} from './device-type.ts';
