export {type MissingConfig, type MissingPorts, missingKind} from './handle.ts';
export {type KnownPorts, missingOnEveryPc, missingSerialPorts} from './known-ports.ts';
export {missing} from './model.ts';
