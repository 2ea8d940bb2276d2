export {type LatchConfig, latch, latchKind} from './device.ts';
export {latchType} from './device-type.ts';
