export {latchType} from './device-type.ts';
export {type LatchConfig, latchKind} from './handle.ts';
export {latch} from './model.ts';
