export {type DebugExitConfig, debugExit, debugExitKind, exitStatus} from './device.ts';
export {debugExitType} from './device-type.ts';
