import test from 'ava';
import {moduleIndex} from './module-index.ts';

test('an index is a tree of characters, as kmod reads it: prefix, a child for each letter from the first to the last, values', (t) => {
	const entries = [
		['disk', 'kernel/disk.ko: kernel/core.ko'],
		['dummy', 'kernel/dummy.ko:'],
		['dummy', 'second'],
	] as const;
	const text = (value: string) => Buffer.from(`${value}\0`).toString('hex');
	const [disk, dummy] = [`${text('sk')}0000000100000000${text(entries[0][1])}`, `${text('mmy')}00000002`];
	const values = `00000001${text(entries[1][1])}00000002${text('second')}`;
	// Both of what is below the root are before it; 13 letters from i to u.
	const atDummy = 12 + disk.length / 2;
	const atRoot = atDummy + (dummy.length + values.length) / 2;
	const u32 = (value: number) => value.toString(16).padStart(8, '0');
	const children = [0xc000_0000 + 12, ...new Array<number>(11).fill(0), 0xc000_0000 + atDummy].map(u32).join('');
	t.is(
		Buffer.from(moduleIndex(entries)).toString('hex'),
		`b007f45700020001${u32(0xa000_0000 + atRoot)}${disk}${dummy}${values}${text('d')}6975${children}`,
	);
});

test('an index of nothing has no root, and keys that nobody asks for are left out', (t) => {
	const nothing = 'b007f4570002000100000000';
	t.is(Buffer.from(moduleIndex([])).toString('hex'), nothing);
	const keys = ['', 'é', 'a\n', 'x'.repeat(1025)];
	t.is(Buffer.from(moduleIndex(keys.map((key) => [key, 'value']))).toString('hex'), nothing);
});

test('keys that are each longer by a letter make no tree that is too deep', (t) => {
	const entries = Array.from({length: 1024}, (_, index) => ['x'.repeat(index + 1), 'value'] as const);
	t.true(moduleIndex(entries).length > 12);
});
