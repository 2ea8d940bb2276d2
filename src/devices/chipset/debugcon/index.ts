export {type DebugconConfig, debugcon, debugconKind} from './device.ts';
export {debugconType} from './device-type.ts';
