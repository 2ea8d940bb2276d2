import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {unchecked} from '#support/trust';
import {GuestView, type PagingRegisters, walk} from './index.ts';

const size = 0x10_0000;
const root = 0x1000;

/** 1 MiB of RAM, with words put into it. */
function memoryWith(words: Readonly<Record<number, bigint>>): MappedMemory {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: size}));
	for (const [address, value] of Object.entries(words)) memory.writeBigU64(Number(address), value);
	return memory;
}

const paging = 0x8000_0001n;
const cr3 = BigInt(root);
const long: PagingRegisters = {cr0: paging, cr3, cr4: 0x20n, efer: 0x500n};
const five: PagingRegisters = {...long, cr4: 0x1020n};
const pae: PagingRegisters = {cr0: paging, cr3, cr4: 0x20n, efer: 0n};
const legacy: PagingRegisters = {cr0: paging, cr3, cr4: 0x10n, efer: 0n};

test('without paging a linear address is the physical one, below 4 GiB', (t) => {
	const off = {...pae, cr0: 1n};
	t.is(walk(memoryWith({}), off, 0x1234n), 0x1234);
	t.is(walk(memoryWith({}), off, 2n ** 32n), undefined);
});

test('four levels lead to a page of 4 KiB, with the top bits of a kernel address', (t) => {
	const linear = 0xffff_ffff_8123_4567n;
	const memory = memoryWith({
		[root + 511 * 8]: 0x2003n,
		[0x2000 + 510 * 8]: 0x3003n,
		[0x3000 + 9 * 8]: 0x4003n,
		[0x4000 + 0x34 * 8]: 0x8000_0000_000a_b003n,
	});
	t.is(walk(memory, long, linear), 0xab567);
	t.is(walk(memory, long, linear + 0x1000n), undefined);
});

test('pages of 2 MiB and 1 GiB end the walk early, beyond 4 GiB too', (t) => {
	const memory = memoryWith({[root]: 0x2003n, 8192: 0x3003n, 8200: 0x2_4000_0083n, 12296: 0x1_0020_0083n});
	t.is(walk(memory, long, 0x3f_ffffn), 0x1_003f_ffff);
	t.is(walk(memory, long, 0x5234_5678n), 0x2_5234_5678);
});

test('five levels take nine more bits', (t) => {
	const linear = 0x00ab_0000_0000_0123n;
	const memory = memoryWith({
		[root + 0xab * 8]: 0x2003n,
		8192: 0x3003n,
		12288: 0x4003n,
		16384: 0x5003n,
		20480: 0x9003n,
	});
	t.is(walk(memory, five, linear), 0x9123);
	t.is(walk(memory, long, linear), undefined, 'not canonical with four levels');
});

test('PAE takes its root from a table of four, aligned to 32 bytes', (t) => {
	const memory = memoryWith({[root + 0x20 + 8]: 0x2001n, 8192: 0x3003n, 8200: 0x60_0083n, 12296: 0x7003n});
	const registers = {...pae, cr3: BigInt(root + 0x20)};
	t.is(walk(memory, registers, 0x4000_1abcn), 0x7abc);
	t.is(walk(memory, registers, 0x4020_0010n), 0x60_0010);
	t.is(walk(memory, registers, 0x8000_0000n), undefined);
});

test('32-bit tables have entries of four bytes, and large pages only where CR4 has them', (t) => {
	const memory = memoryWith({[root]: 0x0040_2083_0000_2003n, 8192: 0x0000_5003_0000_0000n});
	t.is(walk(memory, legacy, 0x1abcn), 0x5abc);
	t.is(walk(memory, legacy, 0x40_0010n), 0x1_0040_0010, 'bits 13 to 20 are the address above 4 GiB');
	t.is(walk(memory, {...legacy, cr4: 0n}, 0x40_0010n), undefined);
});

test('tables outside memory and tables that hold themselves lead somewhere or nowhere, never on for ever', (t) => {
	t.is(walk(memoryWith({[root]: 0xf_ffff_ffff_f003n}), long, 0n), undefined);
	t.is(walk(memoryWith({[root]: 0x1003n}), long, 0x10n), 0x1010);
	t.is(walk(memoryWith({}), {...long, cr3: 0xf_ffff_ffff_f000n}, 0n), undefined);
});

test('a read gives what is there, a write all or nothing', (t) => {
	const memory = memoryWith({[root]: 0x2003n, 8192: 0x3003n, 12288: 0x4003n, 16384: 0x8003n, 16392: 0x9003n});
	const view = new GuestView(memory, long);
	t.true(view.write(0xffen, Uint8Array.of(1, 2, 3, 4)));
	t.deepEqual([...view.read(0xffen, 4)], [1, 2, 3, 4]);
	t.is(unchecked(memory.readU16(0x9000)), 0x0403);
	t.is(view.read(0x1ffen, 8).length, 2);
	t.false(view.write(0x1ffen, Uint8Array.of(9, 9, 9, 9)));
	t.is(unchecked(memory.readU16(0x9ffe)), 0);
	t.is(view.read(0xffff_ffff_ffff_ffffn, 4).length, 0);
	const physical = new GuestView(memory, 'physical');
	t.deepEqual([...physical.read(0x8ffen, 4)], [1, 2, 3, 4]);
	t.is(physical.read(2n ** 60n, 4).length, 0);
});
