export {BlockImage, BlockKind} from './block-image.ts';
export {inOrder, type Place} from './places.ts';
export {SectorBits, sectorBytes} from './sector-bits.ts';
