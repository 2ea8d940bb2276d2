export {type GivenSymbols, guestSymbols, readSymbolFiles} from './guest-symbols.ts';
export {type GuestKernel, readGuestKernel} from './kernel-symbols.ts';
export {OrcBase, type OrcEntry, OrcTables} from './orc-tables.ts';
export type {SymbolFile} from './read-symbols.ts';
export {type CodeSymbol, SymbolTable} from './symbol-table.ts';
