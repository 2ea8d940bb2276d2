export {type Dma8237Config, dma8237, dma8237Kind} from './device.ts';
export {dma8237Type} from './device-type.ts';
export {DmaChannel, type DmaChannelNumber} from './dma-channel.ts';
export type {Dma8237Fields} from './state.ts';
