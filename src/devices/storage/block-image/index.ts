export {BlockImage, type BlockState} from './block-image.ts';
export {inOrder, type Place} from './places.ts';
export {SectorBits, sectorBytes} from './sector-bits.ts';
