/** The translator: regions of blocks, written from the meanings of their steps as one WebAssembly function each. */
export {buildRegions} from './build-regions.ts';
export {makeTranslations, ownTranslations} from './make-translations.ts';
export {type KnownStep, readBlock} from './read-block.ts';
export {loneRegion} from './region.ts';
export {type CodeOf, type HotBlock, type KnownCode, Translations} from './translations.ts';
