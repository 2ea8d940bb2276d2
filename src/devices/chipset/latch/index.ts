export {type LatchConfig, latchKind} from './handle.ts';
export {latch} from './model.ts';
