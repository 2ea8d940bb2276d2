export {pic8259Type} from './device-type.ts';
export {type Pic8259Config, pic8259Kind} from './handle.ts';
export {pic8259} from './model.ts';
export {PicPair} from './pic-pair.ts';
export type {Pic8259Fields} from './state.ts';
