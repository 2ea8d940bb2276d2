import {setImmediate} from 'node:timers/promises';
import test from 'ava';
import {PageWatch} from '#devices/guest-memory';
import {createSharedParts, Rendezvous, requestWords} from '#vcpu-worker/software/shared';
import {GuestThreads} from './testing/index.ts';

const codeAt = 0x20_0000;
const data = 0x40_0000;
const pageBytes = 4096;
const pages = 2048;
/** A word of two lines, whose LOCK needs all others to wait. */
const apart = 0x30_f03e;
const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];
const lockedAdd = [0xf0, 0xff, 0x06];

/** For each page from RDI on: a store, some locked instructions that need to be alone, and another store. */
const body = [
	...[0xc7, 0x07, ...word(1)], // MOV dword [RDI],1
	...Array.from({length: 12}, () => lockedAdd).flat(), // LOCK INC dword [RSI]
	...[0xc7, 0x47, 8, ...word(1)], // MOV dword [RDI+8],1
	...[0x81, 0xc7, ...word(pageBytes)], // ADD EDI,pageBytes
	...[0xff, 0xc9], // DEC ECX
];
const program = [...body, 0x75, -(body.length + 2) & 0xff, 0xf4];

test('a processor that waits in the midst of an instruction stores nothing by what it knew before', async (t) => {
	const guest = new GuestThreads(1, createSharedParts(2));
	const {ram, shared} = guest.lone;
	const view = new DataView(ram.buffer);
	ram.set(program, codeAt);
	const other = new Rendezvous(shared.epochs, 1, requestWords(shared));
	const watch = new PageWatch(shared.watch, 1);
	const told = new Set<number>();
	const expected = new Set<number>();
	const hear = () => watch.read((page) => void told.add(page));
	/** Begins to watch the page that is stored to the first time only, where all are said to know it at once. */
	const begin = () => {
		let at = data;
		while (at < data + pages * pageBytes && view.getUint32(at + 8, true) !== 0) at += pageBytes;
		if (at === data + pages * pageBytes || view.getUint32(at, true) === 0) return;
		const page = at / pageBytes;
		const epoch = other.begin(() => watch.begin(page, {low: 1, high: 0}));
		if (other.haveAll(epoch)) expected.add(page);
	};
	guest.start([{entry: codeAt, general: [0n, BigInt(pages), 0n, 0n, 0n, 0n, BigInt(apart), BigInt(data)]}]);
	const last = data + (pages - 1) * pageBytes + 8;
	while (view.getUint32(last, true) === 0) {
		await setImmediate();
		other.exclusively(begin, () => {});
		t.true(hear());
	}
	const [end] = await guest.ends();
	t.true(hear());
	t.is(end?.stop, 'halted');
	t.true(expected.size > 0);
	t.deepEqual(
		[...expected].filter((page) => !told.has(page)),
		[],
	);
});
