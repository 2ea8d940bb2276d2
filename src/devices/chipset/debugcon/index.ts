export {debugconType} from './device-type.ts';
export {type DebugconConfig, debugconKind} from './handle.ts';
export {debugcon} from './model.ts';
