/** Name of a piece of code. */
export interface CodeSymbol {
	/** Linear address. */
	readonly address: bigint;
	/** Bytes of it; 0 where that is not known: it goes to the next symbol then. */
	readonly size: number;
	readonly name: string;
}

/** A symbol of unknown size is not believed further than this. */
const maxUnsizedBytes = 2n ** 20n;

/** Finds names for addresses of code. */
export class SymbolTable {
	readonly #symbols: readonly CodeSymbol[];

	constructor(symbols: Iterable<CodeSymbol>) {
		// Of several at an address the first counts that has a size, as it was given.
		const ordered = [...symbols].sort((a, b) => compare(a.address, b.address) || Math.sign(b.size) - Math.sign(a.size));
		this.#symbols = ordered.filter(({address}, index) => index === 0 || ordered[index - 1]?.address !== address);
	}

	get size(): number {
		return this.#symbols.length;
	}

	/** The symbol whose code an address is in. */
	find(address: bigint): CodeSymbol | undefined {
		let [low, high] = [0, this.#symbols.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((this.#symbols[middle] as CodeSymbol).address <= address) low = middle + 1;
			else high = middle;
		}
		const symbol = this.#symbols[low - 1];
		if (symbol === undefined) return undefined;
		const size = symbol.size === 0 ? maxUnsizedBytes : BigInt(symbol.size);
		return address - symbol.address < size ? symbol : undefined;
	}
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
