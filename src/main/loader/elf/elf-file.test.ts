import test from 'ava';
import {codeOf, makeElf, outcome} from '../testing/index.ts';
import {elfNotes, readElf} from './index.ts';

const code = new Uint8Array(64).fill(0x90);

test('32-bit and 64-bit program headers are read alike', (t) => {
	for (const bits of [32, 64] as const) {
		const elf = readElf(
			makeElf({bits, segments: [{physical: 0x200000, virtual: 0xc0200000, data: code, memorySize: 99}]}),
		);
		t.like(elf, {bits, entry: 0x100000n});
		t.like(elf.loads[0], {physical: 0x200000, virtual: 0xc0200000n, fileSize: 64, memorySize: 99});
	}
});

test('a kernel for another architecture is named', (t) => {
	const message = (machine: number) => t.throws(() => readElf(makeElf({machine})))?.message;
	t.is(message(183), 'The kernel file is an aarch64 kernel, and this machine is x86-64');
	t.is(message(243), 'The kernel file is a RISC-V kernel, and this machine is x86-64');
	t.regex(message(999) ?? '', /an unknown architecture \(ELF machine 999\)/);
	const bigEndian = makeElf();
	bigEndian[5] = 2;
	t.is(
		codeOf(() => readElf(bigEndian)),
		'KERNEL_WRONG_ARCHITECTURE',
	);
});

test('a truncated file is named as such at every length', (t) => {
	const whole = makeElf();
	const codes = new Set<string>();
	for (let length = 4; length < whole.length; length += 7) codes.add(codeOf(() => readElf(whole.subarray(0, length))));
	t.deepEqual([...codes], ['KERNEL_TRUNCATED']);
	t.like(
		outcome(() => readElf(whole.subarray(0, 200))),
		{context: {found: 200, promised: whole.length}},
	);
});

test('an object file and a program for an operating system are no kernels', (t) => {
	t.is(
		codeOf(() => readElf(makeElf({type: 1}))),
		'KERNEL_UNRECOGNISED',
	);
	const program = makeElf({
		segments: [
			{physical: 0x100000, data: code},
			{type: 3, physical: 0, data: code},
		],
	});
	t.is(
		codeOf(() => readElf(program)),
		'KERNEL_UNRECOGNISED',
	);
});

test('headers that contradict themselves are refused', (t) => {
	t.is(
		codeOf(() => readElf(makeElf({segments: []}))),
		'KERNEL_INVALID',
	);
	t.is(
		codeOf(() => readElf(makeElf({segments: [{physical: 0x100000, data: code, memorySize: 63}]}))),
		'KERNEL_INVALID',
	);
	const many = Array.from({length: 257}, (_, i) => ({physical: 0x100000 + i * 64, data: code}));
	t.is(
		codeOf(() => readElf(makeElf({segments: many}))),
		'KERNEL_INVALID',
	);
	const shortHeaders = makeElf();
	shortHeaders[54] = 8;
	t.is(
		codeOf(() => readElf(shortHeaders)),
		'KERNEL_INVALID',
	);
});

test('notes are read up to the first one that is broken', (t) => {
	const data = new Uint8Array(60);
	const view = new DataView(data.buffer);
	for (const [at, descriptorSize] of [
		[0, 4],
		[20, 4],
		[40, 400],
	] as const) {
		view.setUint32(at, 4, true);
		view.setUint32(at + 4, descriptorSize, true);
		view.setUint32(at + 8, 18, true);
		data.set(Buffer.from('Xen\0'), at + 12);
	}
	const bytes = makeElf({
		segments: [
			{physical: 0x100000, data: code},
			{type: 4, physical: 0, data},
		],
	});
	t.deepEqual(
		elfNotes(readElf(bytes), bytes).map(({owner, type, descriptor}) => [owner, type, descriptor.length]),
		[
			['Xen', 18, 4],
			['Xen', 18, 4],
		],
	);
});
