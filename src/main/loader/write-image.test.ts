import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {writeBootImage} from './write-image.ts';

const memoryOf = (length: number) =>
	new MappedMemory([{gpa: 0, length, buffer: new SharedArrayBuffer(length), bufferOffset: 0, hostAddress: 0n}]);
const entry = {general: {}, special: {}};

test("writing puts a piece's data in place, zeroes its rest and touches nothing else", (t) => {
	const memory = memoryOf(0x1000);
	memory.fill(0, 0x1000, 0xee);
	const pieces = [{name: 'kernel', gpa: 0x10, data: Uint8Array.of(1, 2), length: 4}];
	t.true(writeBootImage(memory, {pieces, entry}));
	const back = new Uint8Array(6);
	memory.read(0xf, back);
	t.deepEqual([...back], [0xee, 1, 2, 0, 0, 0xee]);
});

test('an image for a larger machine is not written', (t) => {
	const pieces = [{name: 'kernel', gpa: 0xffe, data: Uint8Array.of(1), length: 3}];
	const memory = memoryOf(0x1000);
	t.false(writeBootImage(memory, {pieces, entry}));
	t.is(memory.readInteger(0xffe, 1), 0);
});
