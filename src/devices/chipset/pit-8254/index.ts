export {pit8254Type} from './device-type.ts';
export {type Pit8254Config, pit8254Kind} from './handle.ts';
export {pit8254} from './model.ts';
export {pitFrequencyHz} from './registers.ts';
