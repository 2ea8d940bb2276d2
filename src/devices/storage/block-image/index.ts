export {BlockImage, type BlockState} from './block-image.ts';
export {SectorBits, sectorBytes} from './sector-bits.ts';
