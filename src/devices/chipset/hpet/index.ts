export {hpetType} from './device-type.ts';
export {type HpetConfig, hpetAddress, hpetKind} from './handle.ts';
export {hpet} from './model.ts';
export {capabilities, regionLength} from './registers.ts';
