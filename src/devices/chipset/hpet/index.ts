export {type HpetConfig, hpet, hpetAddress, hpetKind} from './device.ts';
export {hpetType} from './device-type.ts';
export {capabilities, regionLength} from './registers.ts';
