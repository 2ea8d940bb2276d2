export {makeSymbolFile, type SymbolSpec, sections} from './make-symbol-file.ts';
