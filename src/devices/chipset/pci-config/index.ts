export {pciConfigType} from './device-type.ts';
export {type PciConfigConfig, pciConfigKind} from './handle.ts';
export {pciConfig} from './model.ts';
