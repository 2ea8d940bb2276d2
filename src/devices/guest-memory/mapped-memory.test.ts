import test from 'ava';
import {asAddress, unchecked} from '#support/trust';
import {fence, IoVectors, MappedMemory, type MappedRange, PinCount} from './index.ts';
import {plainMemory} from './testing/index.ts';

const length = 0x10000;
const high = 2 ** 32;

/** 64 KiB at 0 and, adjoining, 64 KiB at 0x10000 in another buffer; then a hole; then 64 KiB at 4 GiB. */
const sample = () => new MappedMemory(plainMemory({gpa: 0, length}, {gpa: 0x10000, length}, {gpa: high, length}));

/** Every single access: its size, a value of that size, and how it is made. */
const singles = [
	[1, 0xb1, (m, gpa) => m.readU8(gpa), (m, gpa) => m.writeU8(gpa, 0xb1)],
	[2, 0xb2b1, (m, gpa) => m.readU16(gpa), (m, gpa) => m.writeU16(gpa, 0xb2b1)],
	[4, 0xb4b3_b2b1, (m, gpa) => m.readU32(gpa), (m, gpa) => m.writeU32(gpa, 0xb4b3_b2b1)],
	[8, 0x11_2233_4455_6677, (m, gpa) => m.readU64(gpa), (m, gpa) => m.writeU64(gpa, 0x11_2233_4455_6677)],
	[8, 2n ** 64n - 2n, (m, gpa) => m.readBigU64(gpa), (m, gpa) => m.writeBigU64(gpa, 2n ** 64n - 2n)],
] as const satisfies readonly (readonly [
	number,
	number | bigint,
	(memory: MappedMemory, gpa: number) => unknown,
	(memory: MappedMemory, gpa: number) => boolean,
])[];

for (const [size, value, read, write] of singles) {
	test(`${size} bytes as a ${typeof value} are read as they were written, little-endian and wherever they lie`, (t) => {
		for (const gpa of [0x100, 0x101, 0x103, 0x10000 - size + 1, 0xfffc, high + length - size]) {
			const memory = sample();
			t.true(write(memory, gpa), String(gpa));
			t.is<unknown, unknown>(read(memory, gpa), value);
			const bytes = new Uint8Array(size);
			memory.copyOut(gpa, bytes);
			t.is(BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`), BigInt(value));
		}
	});

	test(`${size} bytes as a ${typeof value} that are not all RAM are refused, and nothing changes`, (t) => {
		const memory = sample();
		for (const gpa of [0x20000 - size + 1, high - 1, high + length - size + 1, -1, 0.5, Number.NaN, 2 ** 53, 2 ** 64]) {
			t.false(write(memory, gpa), String(gpa));
			t.is(read(memory, gpa), undefined);
		}
		const bytes = new Uint8Array(0x20000);
		t.true(memory.copyOut(0, bytes));
		t.true(bytes.every((byte) => byte === 0));
	});
}

test('64 bits that no number holds exactly pass no check of an address', (t) => {
	const memory = sample();
	for (const bits of [2n ** 53n + 1n, 2n ** 63n, 0x7ff0_0000_0000_0001n, 0xfff8_0000_0000_0000n, 2n ** 64n - 1n]) {
		memory.writeBigU64(8, bits);
		t.true((unchecked(memory.readU64(8)) as number) >= 2 ** 53, String(bits));
		t.is(asAddress(memory.readU64(8)), undefined);
	}
});

for (const count of [3, 16, 100, 5000]) {
	test(`${count} bytes are copied across adjoining pieces, from and to the place that is given`, (t) => {
		const memory = sample();
		const source = Uint8Array.from({length: count + 7}, (_, index) => index * 7 + 1);
		const gpa = 0x10000 - 2;
		t.true(memory.copyIn(gpa, source, 5, count));
		const target = new Uint8Array(count + 4);
		t.true(memory.copyOut(gpa, target, 3, count));
		t.deepEqual([...target], [0, 0, 0, ...source.subarray(5, 5 + count), 0]);
		t.true(memory.fill(gpa + 1, count - 2, 0xee));
		t.true(memory.copyOut(gpa, target, 0, count));
		t.deepEqual([...target.subarray(0, count)], [source[5], ...new Array(count - 2).fill(0xee), source[count + 4]]);
	});
}

test('words are copied as bytes are, aligned or not, across pieces, and from nowhere else', (t) => {
	const memory = sample();
	const source = Uint8Array.from({length: 16}, (_, index) => 0xf0 - index);
	const target = new Int32Array(4);
	for (const gpa of [0x1_0010, 0x1_0011, 0x1_0000 - 8, 0x1_0000 - 6]) {
		memory.copyIn(gpa, source);
		target.fill(0);
		t.true(memory.copyWordsOut(gpa, target));
		t.deepEqual(new Uint8Array(target.buffer), source, gpa.toString(16));
	}
	for (const gpa of [0x1_fff4, 0x1_fff2, -4, 0.5, Number.NaN, 2 ** 52]) t.false(memory.copyWordsOut(gpa, target));
	t.deepEqual(new Uint8Array(target.buffer), source);
});

test('a copy that leaves RAM changes nothing, and one that leaves the array is an error of ours', (t) => {
	const memory = sample();
	const bytes = Uint8Array.of(1, 2, 3, 4);
	t.false(memory.copyIn(0x1fffe, bytes));
	t.false(memory.fill(0x1fffe, 4, 1));
	t.is(unchecked(memory.readU16(0x1fffe)), 0);
	t.false(memory.copyOut(0x1fffe, bytes));
	t.deepEqual([...bytes], [1, 2, 3, 4]);
	t.throws(() => memory.copyOut(0, bytes, 1, 4), {instanceOf: RangeError});
	t.throws(() => memory.copyIn(0, bytes, -1, 2), {instanceOf: RangeError});
	t.throws(() => memory.copyIn(0, bytes, 0, Number.NaN), {instanceOf: RangeError});
});

test('addresses a guest can make up contain nothing', (t) => {
	const memory = sample();
	for (const gpa of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 52, 2 ** 60, 0x20000]) {
		t.false(memory.contains(gpa, 1), String(gpa));
		t.is(memory.mapped(gpa, 1), undefined);
	}
	t.true(memory.contains(0, 0x20000));
	t.false(memory.contains(0, 0x20001));
	t.false(memory.contains(0, 2 ** 53));
	t.false(memory.contains(0, Number.NaN));
});

test('a window reads and writes the same bytes, whether or not it lies in one piece', (t) => {
	for (const gpa of [0x8000, 0xfff8, high + 0x10]) {
		const memory = sample();
		const window = memory.mapped(gpa, 32, 8);
		window?.writeU8(0, 1);
		window?.writeU16(2, 0x0302);
		window?.writeU32(4, 0x8706_0504);
		window?.writeU64(8, 0x1f_0e0d_0c0b_0a09);
		window?.writeU16(7, 0x1234);
		const bytes = new Uint8Array(16);
		window?.copyOut(0, bytes, 0, 16);
		t.is(Buffer.from(bytes).toString('hex'), '0100020304050634120a0b0c0d0e1f00');
		t.is(unchecked(window?.readU8(0)), 1);
		t.is(unchecked(window?.readU16(7)), 0x1234);
		t.is(unchecked(window?.readU32(4)), 0x3406_0504);
		t.is(unchecked(window?.readU64(8)), 0x1f_0e0d_0c0b_0a12);
		window?.copyIn(0, bytes, 2, 2);
		t.is(unchecked(memory.readU16(gpa)), 0x0302);
	}
});

test('ordered accesses store and load, and exchange only what is expected', (t) => {
	const memory = sample();
	const window = memory.mapped(0xfff0, 32, 16);
	if (window === undefined) return t.fail();
	window.releaseU16(14, 0xfffe);
	window.releaseU32(16, 0xfedc_ba98);
	fence();
	t.is(unchecked(window.acquireU16(14)), 0xfffe);
	t.is(unchecked(window.acquireU32(16)), 0xfedc_ba98);
	t.false(window.compareExchangeU32(16, 1, 2));
	t.true(window.compareExchangeU32(16, 0xfedc_ba98, 2));
	t.is(unchecked(memory.readU32(0x10000)), 2);
	t.throws(() => window.acquireU16(13), {instanceOf: RangeError});
	t.throws(() => window.readU32(30), {instanceOf: RangeError});
	t.is(memory.mapped(0xfff8, 16, 16), undefined, 'an address that is not aligned has no window');
});

test('a closed gate lets nothing through, and windows say so', (t) => {
	const memory = sample();
	const gate = {isOpen: true};
	const gated = memory.behind(gate);
	const window = gated.mapped(0, 64);
	t.true(gated.isOpen);
	t.true(window?.isCurrent);
	gate.isOpen = false;
	t.false(window?.isCurrent);
	t.false(gated.isOpen, 'which no RAM at an address does not say');
	t.false(gated.contains(0, 1));
	t.is(gated.readU32(0), undefined);
	t.false(gated.writeU32(0, 1));
	t.false(gated.copyOut(0, new Uint8Array(4)));
	t.false(gated.copyIn(0, new Uint8Array(4)));
	t.false(gated.fill(0, 4, 1));
	t.is(gated.mapped(0, 4), undefined);
	t.false(gated.behind({isOpen: true}).contains(0, 1), 'two gates are both to be open');
	t.true(memory.isOpen);
	t.true(memory.contains(0, 1));
});

test('memory that comes and goes is followed, and windows of before say so', (t) => {
	const {ranges, clock} = plainMemory({gpa: 0, length}, {gpa: 0x10000, length});
	const [first, second] = ranges as [(typeof ranges)[0], (typeof ranges)[0]];
	const memory = new MappedMemory({ranges: [first], clock});
	const gated = memory.behind({isOpen: true});
	const window = gated.mapped(0x100, 8);
	memory.writeU8(0x100, 7);
	memory.change(ranges);
	t.false(window?.isCurrent);
	t.true(gated.writeU32(0xfffe, 0x0403_0201), 'what shares the table sees it too');
	t.is(unchecked(memory.readU8(0x100)), 7);
	memory.change([second]);
	t.is(memory.readU8(0x100), undefined);
	t.is(unchecked(memory.readU16(0x10000)), 0x0403);
	t.is(memory.generation, 3);
});

test('memory that moves between two looks at it is none, and nothing outside of it is given for it', (t) => {
	const {ranges} = plainMemory({gpa: high, length});
	const [bar] = ranges as [MappedRange];
	const at = 0x100_0000;
	/** Makes a memory in which each look finds a BAR at one of these places; at the last place for ever. */
	const looksFind = (...places: readonly (number | undefined)[]) => {
		const memory = new MappedMemory(plainMemory({gpa: 0, length}));
		let look = 0;
		memory.followOther(() => {
			const gpa = places[Math.min(look++, places.length - 1)];
			return gpa === undefined ? undefined : {...bar, gpa};
		});
		return memory;
	};
	const target = new Uint8Array(length);
	const vectors = new IoVectors(4);
	for (const elsewhere of [undefined, at - length, at + length, at - 1, at + 2 * length]) {
		for (const places of [[elsewhere], [at, elsewhere]]) {
			const memory = looksFind(...places);
			t.false(memory.pin(at, length, 'read', vectors), `pin ${places}`);
			t.is(vectors.count, 0);
			for (const access of [
				(m: MappedMemory) => m.copyOut(at, target),
				(m: MappedMemory) => m.fill(at, length, 0),
				(m: MappedMemory) => m.copyIn(at, target),
			])
				t.notThrows(() => access(looksFind(...places)), `${places}`);
		}
	}
	t.is(new PinCount(bar.ledger).count, 0);
});
