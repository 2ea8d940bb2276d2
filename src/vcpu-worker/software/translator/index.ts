/** The translator: the meanings of a block's steps, written as one WebAssembly function that knows its operands. */
export {buildTranslations, type TranslatedBlock} from './build-translations.ts';
export {type KnownStep, keyOf, readBlock} from './read-block.ts';
