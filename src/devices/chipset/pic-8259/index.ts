export {type Pic8259Config, pic8259, pic8259Kind} from './device.ts';
export {pic8259Type} from './device-type.ts';
export {PicPair} from './pic-pair.ts';
export type {Pic8259Fields} from './state.ts';
