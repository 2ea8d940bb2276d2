export {type MissingConfig, type MissingPorts, missing, missingKind} from './device.ts';
export {type KnownPorts, missingPorts, missingType} from './device-type.ts';
