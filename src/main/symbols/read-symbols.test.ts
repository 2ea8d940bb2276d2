import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {isVmmError} from '#support/errors';
import {readSymbols} from './read-symbols.ts';
import {makeSymbolFile, sections} from './testing/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-symbols-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const path = join(folder, 'symbols');
const read = (contents: Uint8Array | string) => {
	writeFileSync(path, contents);
	return readSymbols(path);
};
const codeOf = (contents: Uint8Array | string): string => {
	try {
		read(contents);
	} catch (error) {
		if (isVmmError(error)) return error.code;
		throw error;
	}
	return 'none';
};

const base = 0xffff_ffff_8100_0000n;

test('functions of an ELF file are read, and what assembly leaves, but nothing that is no code or has no place', (t) => {
	const symbols = [
		{name: 'main', value: base, size: 0x20n},
		{name: 'entry', value: base + 0x20n, type: 0},
		{name: 'resolver', value: base + 0x40n, size: 8n, type: 10},
		{name: 'counter', value: base + 0x60n, type: 1},
		{name: 'label_in_data', value: base + 0x80n, type: 0, section: sections.data},
		{name: 'undefined', value: 0n, section: 0},
		{name: 'absolute', value: 7n, section: 0xfff1},
		{name: '.Lmade_up', value: base + 0x90n, type: 0},
	];
	const expected = [
		{name: 'main', address: base, size: 0x20},
		{name: 'entry', address: base + 0x20n, size: 0},
		{name: 'resolver', address: base + 0x40n, size: 8},
	];
	t.deepEqual(read(makeSymbolFile(symbols)), expected);
	t.deepEqual(read(makeSymbolFile(symbols, 11)), expected, 'of a shared library that is stripped');
});

test('an ELF file is refused at every length that cuts it, and where numbers in it lie', (t) => {
	const whole = makeSymbolFile([{name: 'main', value: base}]);
	for (let length = 4; length < whole.length; length++)
		t.is(codeOf(whole.subarray(0, length)), 'SYMBOLS_INVALID', `${length} bytes`);
	const codes = new Set<string>();
	for (let at = 4; at < whole.length; at++) {
		for (const value of [0, 0x7f, 0xff]) {
			const broken = Uint8Array.from(whole);
			broken[at] = value;
			codes.add(codeOf(broken));
		}
	}
	t.deepEqual([...codes].sort(), ['SYMBOLS_INVALID', 'SYMBOLS_NONE', 'none']);
	t.is(codeOf(makeSymbolFile([])), 'SYMBOLS_NONE');
	const small = Uint8Array.from(whole);
	small[4] = 1;
	t.is(codeOf(small), 'SYMBOLS_INVALID', 'a file of 32 bits');
});

test('names that lie over each other are believed up to a length, and one without an end is none', (t) => {
	const long = {name: 'x'.repeat(4096), value: base};
	const others = Array.from({length: 2 ** 16}, (_, index) => ({name: 'y', value: base + BigInt(index)}));
	const file = makeSymbolFile([long, ...others]);
	const [view, place] = [new DataView(file.buffer), Buffer.from(file.buffer).indexOf(Buffer.of(1, 0, 0, 0, 0x12))];
	for (let index = 1; index <= others.length; index++) view.setUint32(place + index * 24, 1, true);
	t.is(codeOf(file), 'SYMBOLS_INVALID');
	t.is(codeOf(makeSymbolFile([{...long, name: `${long.name}x`}])), 'SYMBOLS_NONE');
});

test('lists of nm, System.map and /proc/kallsyms are read, whatever else is in them', (t) => {
	const text = [
		'ffffffff81000000 T _stext',
		'ffffffff81000040 t local\r',
		'ffffffff81000080 W weak',
		'ffffffff81000100 D data',
		'0000000000000000 A fixed_percpu_data',
		'                 U undefined',
		'ffffffffc0200000 t start_it\t[virtio_net]',
		`ffffffff81000200 T ${'x'.repeat(600)}`,
		'no line of symbols',
		'ffffffff81000300 T last',
	].join('\n');
	t.deepEqual(
		read(text).map(({name, address}) => [name, address]),
		[
			['_stext', base],
			['local', base + 0x40n],
			['weak', base + 0x80n],
			['start_it', 0xffff_ffff_c020_0000n],
			['last', base + 0x300n],
		],
	);
});

test('a file without symbols says why', (t) => {
	t.is(codeOf('0000000000000000 T _stext\n0000000000000000 t other\n'), 'SYMBOLS_HIDDEN');
	t.is(codeOf('ffffffffffffffff B The real System.map is in the package with symbols\n'), 'SYMBOLS_NONE');
	t.is(codeOf('ffffffff81000000 D data\n'), 'SYMBOLS_NONE');
	t.is(codeOf(''), 'SYMBOLS_NONE');
	t.is(codeOf('x'.repeat(100_000)), 'SYMBOLS_NONE');
	t.throws(() => readSymbols(join(folder, 'missing')), {code: 'SYMBOLS_UNREADABLE'});
	t.throws(() => readSymbols(folder), {code: 'SYMBOLS_UNREADABLE'});
	const pipe = join(folder, 'pipe');
	execFileSync('mkfifo', [pipe]);
	t.throws(() => readSymbols(pipe), {code: 'SYMBOLS_UNREADABLE'}, 'a pipe to which nobody writes');
});
