export {missingType} from './device-type.ts';
export {type MissingConfig, type MissingPorts, missingKind} from './handle.ts';
export {type KnownPorts, missingPorts} from './known-ports.ts';
export {missing} from './model.ts';
