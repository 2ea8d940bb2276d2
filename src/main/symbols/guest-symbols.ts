import type {GuestKernel} from './kernel-symbols.ts';
import {readSymbols, type SymbolFile} from './read-symbols.ts';
import {type CodeSymbol, SymbolTable} from './symbol-table.ts';

/** Symbols that a user has given, as their files have them. */
export type GivenSymbols = readonly {readonly symbols: readonly CodeSymbol[]; readonly offset?: bigint}[];

/** Reads files with symbols. @throws VmmError with a code SYMBOLS_… */
export const readSymbolFiles = (files: readonly SymbolFile[]): GivenSymbols =>
	files.map(({path, offset}) => ({symbols: readSymbols(path), ...(offset !== undefined && {offset})}));

/**
 * The symbols of a guest: those that were given, where its code is, and those that its kernel has itself.
 * @param kernel - tells where a file's kernel has moved to: both know the symbol `_stext`
 */
export function guestSymbols(given: GivenSymbols, kernel: GuestKernel | undefined): SymbolTable {
	const moved = given.flatMap(({symbols, offset}) => {
		const stext = kernel && symbols.find(({name}) => name === '_stext');
		const distance = offset ?? (kernel && stext ? kernel.stext - stext.address : 0n);
		return distance === 0n
			? symbols
			: symbols.map((symbol) => ({...symbol, address: BigInt.asUintN(64, symbol.address + distance)}));
	});
	return new SymbolTable([...moved, ...(kernel?.symbols ?? [])]);
}
