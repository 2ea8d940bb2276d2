import type {CodeSymbol} from './symbol-table.ts';

/** A line of nm(1), a System.map or /proc/kallsyms: address, type, name, and perhaps a module in brackets. */
const line = /^([0-9a-f]{1,16}) ([A-Za-z?]) (\S{1,512})(?:[ \t]+\[[^\]]*\])?$/i;
/** Types of code: in a text section, and weak (nm(1)). */
const codeTypes = new Set(['t', 'T', 'w', 'W', 'i']);

/** The symbols in a text, and what else its lines say. */
export interface SymbolMap {
	/** Those of code that have an address. */
	readonly symbols: CodeSymbol[];
	/** Lines that are such lines, whatever their symbol is. */
	readonly lines: number;
	/** Address of each of their symbols is 0. */
	readonly isHidden: boolean;
}

/** Reads a text of symbols; lines that are none are passed over. */
export function parseSymbolMap(text: string): SymbolMap {
	const symbols: CodeSymbol[] = [];
	let [lines, isHidden] = [0, true];
	for (let start = 0; start < text.length; ) {
		const end = text.indexOf('\n', start);
		const stop = end < 0 ? text.length : end;
		// Longer than any such line.
		const [, address, type, name] = (stop - start < 1024 && line.exec(text.slice(start, stop).trimEnd())) || [];
		start = stop + 1;
		if (address === undefined || type === undefined || name === undefined) continue;
		lines++;
		const at = BigInt(`0x${address}`);
		if (at === 0n) continue;
		isHidden = false;
		if (codeTypes.has(type)) symbols.push({address: at, size: 0, name});
	}
	return {symbols, lines, isHidden: lines > 0 && isHidden};
}
