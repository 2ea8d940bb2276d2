import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {readGuestKernel} from './kernel-symbols.ts';

const size = 2 ** 20;
const imageBase = 0xffff_ffff_8000_0000n;
/** The kernel has been moved: by this in memory, and by this in addresses. */
const [moved, shift] = [0x4000n, 0x1a20_0000n];
const base = imageBase + shift;
const stext = base + 0x1000n;
/** Address in the image at an offset in its physical memory. */
const at = (physical: number) => imageBase + BigInt(physical) - moved;
const places = {count: 0x8000, relative: 0x8008, offsets: 0x8100, names: 0x9000, table: 0xa000, index: 0xb000};

/** Tokens: letters for themselves, and one for a longer piece. */
const longToken = 1;
const pieceOf = (token: number) =>
	token === longToken ? 'Tsys_' : token >= 0x20 && token < 0x7f ? String.fromCharCode(token) : '';

interface TableSpec {
	/** Bytes of names, each with its length in front. */
	readonly names: readonly (readonly number[])[];
	readonly offsets: readonly number[];
	readonly count?: number;
	/** Address from which offsets count. */
	readonly relative?: bigint;
}

const word = (text: string) => [...Buffer.from(text)];
const short = (bytes: readonly number[]) => [bytes.length, ...bytes];

/** Memory with a table of symbols as scripts/kallsyms.c writes it, and what VMCOREINFO says of it. */
function kernel({names, offsets, count = names.length, relative = base}: TableSpec) {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: size}));
	memory.writeU32(places.count, count);
	memory.writeBigU64(places.relative, relative);
	for (const [index, offset] of offsets.entries()) memory.writeU32(places.offsets + index * 4, offset >>> 0);
	memory.copyIn(places.names, Uint8Array.from(names.flat()));
	let text = '';
	for (let token = 0; token < 256; token++) {
		memory.writeU16(places.index + token * 2, text.length);
		text += `${pieceOf(token)}\0`;
	}
	memory.copyIn(places.table, Buffer.from(text));
	const notes = [
		'OSRELEASE=6.1.0',
		`SYMBOL(_stext)=${stext.toString(16)}`,
		`SYMBOL(kallsyms_names)=${at(places.names).toString(16)}`,
		`SYMBOL(kallsyms_num_syms)=${at(places.count).toString(16)}`,
		`SYMBOL(kallsyms_token_table)=${at(places.table).toString(16)}`,
		`SYMBOL(kallsyms_token_index)=${at(places.index).toString(16)}`,
		`SYMBOL(kallsyms_offsets)=${at(places.offsets).toString(16)}`,
		`SYMBOL(kallsyms_relative_base)=${at(places.relative).toString(16)}`,
		`NUMBER(phys_base)=${moved}`,
	];
	return {memory, notes};
}

const longName = 'x'.repeat(200);
const names = [
	short(word('Afixed_percpu_data')),
	short(word('T_stext')),
	short([longToken, ...word('read')]),
	short(word('Ddata')),
	[0x80 | (201 & 0x7f), 201 >> 7, ...word(`t${longName}`)],
];
const functions = [
	{name: '_stext', address: stext, size: 0},
	{name: 'sys_read', address: stext + 0x100n, size: 0},
	{name: longName, address: stext + 0x300n, size: 0},
];

test('a kernel tells its own symbols, with absolute ones of processors among them or without', (t) => {
	const negative = [0x10, -0x1001, -0x1101, -0x1201, -0x1301];
	const positive = [0x10, 0x1000, 0x1100, 0x1200, 0x1300];
	for (const offsets of [negative, positive]) {
		const {memory, notes} = kernel({names, offsets});
		t.deepEqual(readGuestKernel(memory, notes.join('\n')), {stext, symbols: functions});
	}
});

test('what makes no sense gives no symbols, whatever it is', (t) => {
	const sound = kernel({names, offsets: [0x10, 0x1000, 0x1100, 0x1200, 0x1300]});
	const read = ({memory, notes}: typeof sound) => readGuestKernel(memory, notes.join('\n'));
	for (const [index, line] of sound.notes.entries()) {
		if (!line.includes('kallsyms') && !line.includes('phys_base')) continue;
		const [key] = line.split('=');
		for (const value of [undefined, 'zz', '0', 'ffffffffffffffff', '-9223372036854775808']) {
			const changed = value === undefined ? [] : [`${key}=${value}`];
			t.deepEqual(
				read({...sound, notes: sound.notes.toSpliced(index, 1, ...changed)}),
				{stext, symbols: []},
				`${key}=${value}`,
			);
		}
	}
	const none = {stext, symbols: []};
	t.deepEqual(read(kernel({names, offsets: [1, 2, 3, 4, 5]})), none, 'no _stext where it is');
	for (const count of [0, 0xffff_ffff])
		t.deepEqual(read(kernel({names, offsets: [], count})), none, `${count} symbols`);
	t.is(readGuestKernel(sound.memory, 'OSRELEASE=6.1.0'), undefined);
});

test('names without end are cut, and so is their number', (t) => {
	const endless = [0xff, 0x7f, ...new Array<number>(2 ** 14).fill(longToken)];
	const {memory, notes} = kernel({names: [short(word('T_stext')), endless], offsets: [0x1000, 0x1100], count: 2});
	const {symbols} = readGuestKernel(memory, notes.join('\n')) ?? {symbols: []};
	t.deepEqual(
		symbols.map(({name}) => name.length),
		[6, 511],
	);
});

test('all names together are believed up to a length, however few bytes tell them', (t) => {
	const count = 2 ** 17;
	const room = 2 ** 21;
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 2 * room}));
	const spots = {num_syms: 0x1000, relative_base: 0x1008, token_index: 0x2000, token_table: 0x3000, offsets: 0x10_0000};
	const places = {...spots, names: room};
	memory.writeU32(places.num_syms, count);
	memory.writeBigU64(places.relative_base, imageBase);
	memory.copyIn(places.offsets, new Uint8Array(count * 4).fill(0xff));
	// Two bytes for a name of 8,000 letters: all of them would be a gigabyte.
	memory.copyIn(places.token_table, Buffer.from(`T_stext\0T${'x'.repeat(8000)}\0`));
	for (let token = 1; token < 256; token++) memory.writeU16(places.token_index + token * 2, 8);
	memory.copyIn(
		places.names,
		Uint8Array.from({length: 2 * count}, (_, index) => (index % 2 === 0 ? 1 : index === 1 ? 0 : 1)),
	);
	const ofTable = Object.entries(places).map(
		([name, place]) => `SYMBOL(kallsyms_${name})=${(imageBase + BigInt(place)).toString(16)}`,
	);
	const notes = [`SYMBOL(_stext)=${imageBase.toString(16)}`, 'NUMBER(phys_base)=0', ...ofTable];
	const {symbols} = readGuestKernel(memory, notes.join('\n')) ?? {symbols: []};
	t.is(symbols[1]?.name.length, 511);
	t.true(symbols.length > 2 ** 15 && symbols.length <= 2 ** 16 + 1, `${symbols.length}`);
});

test('a kernel tells how its code uses the stack, where it has the symbols of that', (t) => {
	const orc = {starts: 0xc000, entries: 0xd000};
	const own = [
		short(word('T_stext')),
		short(word('r__start_orc_unwind_ip')),
		short(word('r__stop_orc_unwind_ip')),
		short(word('r__start_orc_unwind')),
	];
	const distance = (physical: number) => Number(at(physical) - imageBase);
	const offsets = [Number(stext - imageBase), distance(orc.starts), distance(orc.starts + 12), distance(orc.entries)];
	const build = (starts: readonly number[]) => {
		const made = kernel({names: own, offsets: offsets.map((offset) => -1 - offset), relative: imageBase});
		for (const [index, start] of starts.entries()) {
			const place = Number(at(orc.starts) - stext) + index * 4;
			made.memory.writeU32(orc.starts + index * 4, (start - place) >>> 0);
			// A call, whose stack was 16 bytes further, and the last, which ends.
			made.memory.copyIn(orc.entries + index * 6, Uint8Array.of(16, 0, 0, 0, 5, index === 2 ? 1 : 2));
		}
		return readGuestKernel(made.memory, made.notes.join('\n'));
	};
	const {orc: tables, symbols = []} = build([0, 0x100, 0x200]) ?? {};
	t.deepEqual(
		symbols.map(({name}) => name),
		['_stext'],
	);
	t.like(tables?.find(stext + 0x110n), {kind: 'call', spBase: 5, spOffset: 16});
	t.is(tables?.find(stext - 1n), undefined);
	t.is(tables?.find(stext + 0x200n), undefined, 'behind the last');
	t.is(build([0x100, 0, 0x200])?.orc, undefined, 'not sorted');
});
