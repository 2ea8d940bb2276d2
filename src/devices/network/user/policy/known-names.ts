/** Names that one guest may have asked for; each may have so many addresses, and an address so many names. */
const [mostNames, mostAddresses, mostNamesOfAddress] = [1024, 32, 8];
/** Addresses whose names are known: a name may have others with each answer. All that are kept have room. */
const mostLinked = 2 * mostNames * mostAddresses;

/**
 * The names that a guest has asked for and the addresses that it was told. Where names decide, a name keeps the addresses that it had
 * first: who owns it cannot have it mean something else later (DNS rebinding).
 */
export class KnownNames {
	readonly #isPinned: boolean;
	readonly #addresses = new Map<string, readonly string[]>();
	/** The last that was asked for comes last. */
	readonly #names = new Map<string, Set<string>>();

	/** @param isPinned - names keep what they had first; otherwise the last answer counts, and the oldest name goes when there are too many */
	constructor(isPinned: boolean) {
		this.#isPinned = isPinned;
	}

	get size(): number {
		return this.#addresses.size;
	}

	/** Addresses whose names are known. */
	get linked(): number {
		return this.#names.size;
	}

	/** Addresses that are kept for a name and a family; undefined where it is to be asked for. */
	pinned(name: string, type: 'A' | 'AAAA'): readonly string[] | undefined {
		const addresses = this.#isPinned ? this.#addresses.get(`${type} ${name}`) : undefined;
		if (addresses !== undefined) this.#link(name, addresses);
		return addresses;
	}

	/** Keeps what a name has been found to have. @returns false where there is no room for one more name */
	learn(name: string, type: 'A' | 'AAAA', addresses: readonly string[]): boolean {
		const key = `${type} ${name}`;
		if (!this.#addresses.has(key) && this.#addresses.size >= 2 * mostNames) {
			if (this.#isPinned) return false;
			this.#forgetOldest();
		}
		const kept = addresses.slice(0, mostAddresses);
		this.#addresses.delete(key);
		this.#addresses.set(key, kept);
		this.#link(name, kept);
		return true;
	}

	/** Names by which the guest may know an address; the last that it has asked for comes last. */
	namesOf(address: string): readonly string[] {
		return [...(this.#names.get(address) ?? [])];
	}

	#link(name: string, addresses: readonly string[]): void {
		for (const address of addresses) {
			const names = this.#names.get(address) ?? new Set();
			names.delete(name);
			names.add(name);
			const [oldest] = names;
			if (names.size > mostNamesOfAddress && oldest !== undefined) names.delete(oldest);
			this.#names.set(address, names);
			const [first] = this.#names.keys();
			if (this.#names.size > mostLinked && first !== undefined) this.#names.delete(first);
		}
	}

	#forgetOldest(): void {
		const [oldest] = this.#addresses;
		if (oldest === undefined) return;
		const [key, addresses] = oldest;
		this.#addresses.delete(key);
		const name = key.slice(key.indexOf(' ') + 1);
		for (const address of addresses) {
			const names = this.#names.get(address);
			names?.delete(name);
			if (names?.size === 0) this.#names.delete(address);
		}
	}
}
