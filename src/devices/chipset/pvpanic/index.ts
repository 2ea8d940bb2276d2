export {pvpanicType} from './device-type.ts';
export {type PvpanicConfig, pvpanicKind, pvpanicPort} from './handle.ts';
export {pvpanic} from './model.ts';
