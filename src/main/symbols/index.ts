export {type GivenSymbols, guestSymbols, readSymbolFiles} from './guest-symbols.ts';
export {type GuestKernel, readGuestKernel} from './kernel-symbols.ts';
export type {SymbolFile} from './read-symbols.ts';
export {type CodeSymbol, SymbolTable} from './symbol-table.ts';
