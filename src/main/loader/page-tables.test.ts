import test from 'ava';
import {buildGdt, flatSegments} from './gdt.ts';
import {identityPageTables} from './page-tables.ts';

/** Walks as the processor does (Intel SDM vol. 3, 4.5.4); undefined when something is not present. */
function translate(tables: Uint8Array, base: number, address: number): number | undefined {
	const view = new DataView(tables.buffer, tables.byteOffset, tables.byteLength);
	let table = base;
	for (const shift of [39, 30, 21]) {
		const index = Math.floor(address / 2 ** shift) % 512;
		const entry = Number(view.getBigUint64(table - base + index * 8, true));
		if (entry % 2 === 0) return undefined;
		table = Math.floor(entry / 0x1000) * 0x1000;
	}
	return table + (address % 0x20_0000);
}

test('every 2 MiB of the low 4 GiB map to themselves, and nothing beyond', (t) => {
	const tables = identityPageTables(0x4000);
	for (let page = 0; page < 2048; page++) {
		const address = page * 0x20_0000 + 0x12345;
		t.is(translate(tables, 0x4000, address), address);
	}
	t.is(translate(tables, 0x4000, 2 ** 32), undefined);
	t.is(translate(tables, 0x4000, 2 ** 39), undefined);
});

test('the GDT holds the descriptors that the segment registers are loaded with', (t) => {
	const hex = (bytes: Uint8Array) => [...new BigUint64Array(bytes.slice().buffer)].map((each) => each.toString(16));
	t.deepEqual(hex(buildGdt(flatSegments.code64)), ['0', '0', 'af9b000000ffff', 'cf93000000ffff']);
	t.deepEqual(hex(buildGdt(flatSegments.code32)), ['0', '0', 'cf9b000000ffff', 'cf93000000ffff']);
	// Linux's __BOOT_CS and __BOOT_DS: a 32-bit kernel loads the latter from our table.
	t.is(flatSegments.code64.selector, 0x10);
	t.is(flatSegments.code32.selector, 0x10);
	t.is(flatSegments.data.selector, 0x18);
});
