export {type PciConfigConfig, pciConfig, pciConfigKind} from './device.ts';
export {pciConfigType} from './device-type.ts';
