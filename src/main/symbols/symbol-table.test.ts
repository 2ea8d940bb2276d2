import test from 'ava';
import {guestSymbols} from './guest-symbols.ts';
import {SymbolTable} from './symbol-table.ts';

const symbol = (name: string, address: bigint, size = 0) => ({name, address, size});

test('an address is in the symbol before it, as far as that reaches', (t) => {
	const table = new SymbolTable([symbol('c', 0x300n), symbol('a', 0x100n, 0x10), symbol('b', 0x200n)]);
	const nameAt = (address: bigint) => table.find(address)?.name;
	t.deepEqual([0xffn, 0x100n, 0x10fn, 0x110n, 0x200n, 0x2ffn].map(nameAt), [undefined, 'a', 'a', undefined, 'b', 'b']);
	t.is(nameAt(0x300n + 0xf_ffffn), 'c');
	t.is(nameAt(0x300n + 0x10_0000n), undefined, 'further than any function');
	t.is(new SymbolTable([]).find(1n), undefined);
});

test('of several symbols at an address the first counts that has a size', (t) => {
	const table = new SymbolTable([symbol('label', 0x100n), symbol('first', 0x100n, 8), symbol('second', 0x100n, 8)]);
	t.is(table.size, 1);
	t.is(table.find(0x104n)?.name, 'first');
});

test("a kernel's symbols are moved to where it says that it is, and others by what is given", (t) => {
	const [linked, running] = [0xffff_ffff_8100_0000n, 0xffff_ffff_9a20_0000n];
	const kernel = {stext: running, symbols: [symbol('own', running + 0x1000n)]};
	const vmlinux = {symbols: [symbol('_stext', linked), symbol('schedule', linked + 0x100n, 64)]};
	const program = {symbols: [symbol('main', 0x1140n, 16)], offset: 0x5555_5555_4000n};
	const fixed = {symbols: [symbol('fixed', 0x40_0000n, 16)]};
	const table = guestSymbols([vmlinux, program, fixed], kernel);
	const nameAt = (address: bigint) => table.find(address)?.name;
	t.is(nameAt(running + 0x110n), 'schedule');
	t.is(nameAt(running + 0x1004n), 'own');
	t.is(nameAt(0x5555_5555_5144n), 'main');
	t.is(nameAt(0x40_0000n), 'fixed');
	t.is(nameAt(linked + 0x110n), undefined);
	t.is(guestSymbols([vmlinux], undefined).find(linked + 0x110n)?.name, 'schedule', 'no kernel that says where it is');
});
