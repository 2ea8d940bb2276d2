export {type Pit8254Config, pit8254, pit8254Kind} from './device.ts';
export {pit8254Type} from './device-type.ts';
export {pitFrequencyHz} from './registers.ts';
