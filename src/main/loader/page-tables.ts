/** Bits of a paging-structure entry (Intel SDM vol. 3, 4.5). Accessed and dirty are set so that no walk writes. */
const entryBits = {present: 1, write: 2, accessed: 0x20, dirty: 0x40, large: 0x80} as const;

const table = entryBits.present | entryBits.write | entryBits.accessed;
const largePage = table | entryBits.dirty | entryBits.large;
const pageSize = 0x1000;
const largePageSize = 0x20_0000;
const gigabytes = 4;

/**
 * Page tables that map the low 4 GiB to themselves by 2 MiB pages: one PML4, one PDPT, four page directories, six
 * pages in all, to be placed at `base`.
 */
export function identityPageTables(base: number): Uint8Array {
	const entries = new BigUint64Array(((2 + gigabytes) * pageSize) / 8);
	const perTable = pageSize / 8;
	entries[0] = BigInt(base + pageSize + table);
	for (let directory = 0; directory < gigabytes; directory++) {
		entries[perTable + directory] = BigInt(base + (2 + directory) * pageSize + table);
	}
	for (let page = 0; page < gigabytes * perTable; page++) {
		entries[2 * perTable + page] = BigInt(page) * BigInt(largePageSize) + BigInt(largePage);
	}
	return new Uint8Array(entries.buffer);
}
