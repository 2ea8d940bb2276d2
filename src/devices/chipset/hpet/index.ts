export {type HpetConfig, hpetKind} from './handle.ts';
export {hpet} from './model.ts';
