export {debugExitType} from './device-type.ts';
export {type DebugExitConfig, debugExitKind} from './handle.ts';
export {debugExit, exitStatus} from './model.ts';
