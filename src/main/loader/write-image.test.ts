import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {unchecked} from '#support/trust';
import {writeBootImage} from './write-image.ts';

/** Memory of these lengths in one piece of host memory each, one behind the other. */
function memoryOf(...lengths: readonly number[]): MappedMemory {
	const ends = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0));
	return new MappedMemory(plainMemory(...lengths.map((length, index) => ({gpa: ends[index] ?? 0, length}))));
}
const entry = {general: {}, special: {}};
const mib = 2 ** 20;

test("writing puts a piece's data in place, zeroes its rest and touches nothing else", async (t) => {
	const memory = memoryOf(0x1000);
	memory.fill(0, 0x1000, 0xee);
	const pieces = [{name: 'kernel', gpa: 0x10, data: Uint8Array.of(1, 2), length: 4}];
	t.true(await writeBootImage(memory, {pieces, entry}));
	const back = new Uint8Array(6);
	memory.copyOut(0xf, back);
	t.deepEqual([...back], [0xee, 1, 2, 0, 0, 0xee]);
});

test('a large piece is written whole, across pieces of host memory too, and so is its rest', async (t) => {
	const memory = memoryOf(6 * mib, 2 * mib, 16 * mib);
	memory.fill(0, 24 * mib, 0xee);
	const data = new Uint8Array(9 * mib + 5).map((_, index) => index % 251);
	const gpa = mib + 3;
	t.true(await writeBootImage(memory, {pieces: [{name: 'initrd', gpa, data, length: 17 * mib}], entry}));
	const back = Buffer.alloc(24 * mib);
	memory.copyOut(0, back);
	const around = (length: number) => Buffer.alloc(length, 0xee);
	t.true(back.subarray(0, gpa).equals(around(gpa)));
	t.true(back.subarray(gpa, gpa + data.length).equals(data));
	t.true(back.subarray(gpa + data.length, gpa + 17 * mib).equals(Buffer.alloc(17 * mib - data.length)));
	t.true(back.subarray(gpa + 17 * mib).equals(around(6 * mib - 3)));
});

test('other work goes on while a large piece is written', async (t) => {
	const memory = memoryOf(32 * mib);
	let [turns, isOver] = [0, false];
	setImmediate(function count() {
		turns++;
		if (!isOver) setImmediate(count);
	});
	t.true(await writeBootImage(memory, {pieces: [{name: 'initrd', gpa: 0, data: new Uint8Array(32 * mib)}], entry}));
	isOver = true;
	t.true(turns >= 7, `${turns} turns`);
});

test('an image for a larger machine is not written, nor any piece of it', async (t) => {
	const pieces = [
		{name: 'low', gpa: 0, data: Uint8Array.of(1)},
		{name: 'kernel', gpa: 0xffe, data: Uint8Array.of(1), length: 3},
	];
	const memory = memoryOf(0x1000);
	t.false(await writeBootImage(memory, {pieces, entry}));
	t.is(unchecked(memory.readU8(0xffe)), 0);
	t.is(unchecked(memory.readU8(0)), 0);
});
