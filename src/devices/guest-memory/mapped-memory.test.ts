import test from 'ava';
import {MappedMemory} from './index.ts';

/** 64 KiB at 0 and, adjoining, 64 KiB at 0x10000 in another buffer; then a hole; then 64 KiB at 4 GiB. */
function sample(): MappedMemory {
	const range = (gpa: number) => {
		const buffer = new SharedArrayBuffer(0x10000);
		return {gpa, length: 0x10000, buffer, bufferOffset: 0, hostAddress: BigInt(gpa) + 0x1000_0000n};
	};
	return new MappedMemory([range(0), range(0x10000), range(2 ** 32)]);
}

test('an access may cross adjoining pieces but never a hole', (t) => {
	const memory = sample();
	t.true(memory.write(0xfffe, Uint8Array.of(1, 2, 3, 4)));
	const back = new Uint8Array(4);
	t.true(memory.read(0xfffe, back));
	t.deepEqual([...back], [1, 2, 3, 4]);
	t.is(memory.readInteger(0xfffe, 4), 0x04030201);
	t.true(memory.writeInteger(0xffff, 2, 0xbbaa));
	t.is(memory.readInteger(0xfffe, 4), 0x04bbaa01);
	t.false(memory.write(0x1fffe, Uint8Array.of(1, 2, 3, 4)));
	t.is(memory.readInteger(0x1fffe, 2), 0, 'a refused write changes nothing');
});

test('memory beyond 4 GiB is reached with plain numbers', (t) => {
	const memory = sample();
	t.true(memory.writeInteger(2 ** 32 + 8, 4, 0xfedcba98));
	t.is(memory.readInteger(2 ** 32 + 8, 4), 0xfedcba98);
	t.is(memory.hostAddress(2 ** 32 + 8, 8), 0x1_1000_0008n);
	t.is(memory.hostAddress(0xfffe, 4), undefined);
});

test('addresses a guest can make up are refused', (t) => {
	const memory = sample();
	for (const gpa of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 52, 2 ** 60, 0x20000]) {
		t.false(memory.contains(gpa, 1), String(gpa));
		t.is(memory.readInteger(gpa, 4), undefined);
		t.false(memory.writeInteger(gpa, 1, 0));
		t.false(memory.fill(gpa, 1, 0));
		t.is(memory.hostAddress(gpa, 1), undefined);
	}
	t.false(memory.contains(0, 2 ** 53));
});
