/** Page-table bits: Intel SDM volume 3, section 4.5. */
export const pageBit = {present: 1, writable: 2, user: 4, writeThrough: 8, uncached: 0x10, huge: 0x80} as const;

const tableSize = 0x1000;
const entriesPerTable = 512;
const hugePageSize = 0x20_0000;
const gibibytes = 4;

/**
 * Page tables that map the low 4 GiB to themselves in 2 MiB pages, as data to be put at `address`, where CR3
 * then points. Pages are present and writable; `extraBits` adds to that, given a page's address.
 */
export function identityPageTables(address: number, extraBits: (page: number) => number): Uint8Array {
	const tables = new BigUint64Array((2 + gibibytes) * entriesPerTable);
	const access = pageBit.present | pageBit.writable | pageBit.user;
	tables[0] = BigInt(address + tableSize + access);
	for (let gib = 0; gib < gibibytes; gib++) {
		tables[entriesPerTable + gib] = BigInt(address + (2 + gib) * tableSize + access);
	}
	for (let index = 0; index < gibibytes * entriesPerTable; index++) {
		const page = index * hugePageSize;
		const bits = pageBit.present | pageBit.writable | pageBit.huge | extraBits(page);
		tables[2 * entriesPerTable + index] = BigInt(page + bits);
	}
	return new Uint8Array(tables.buffer);
}
