import test from 'ava';
import {byte, dword, eax, ebx, edi, edx, esi, rsi} from '#flowey/x86-assembler';
import {microKernel} from '#test/tmk';
import {startKernel} from './guest-processor.ts';
import {codeAt, startBytes, tables} from './raw-code.ts';

const pageBytes = 0x1000;

/** Calls an instruction of five bytes, of which two are in the next page, then changes the last of them and calls it again. */
const changing = microKernel('page-crossing', (asm) => {
	const {call, mov, hlt, ret, label, align, zeros, bytes} = asm;
	call('crossing');
	mov(ebx, eax);
	call('crossing');
	mov(edx, eax);
	mov(rsi, {label: 'crossing', add: 4});
	mov(byte(rsi), 0x55);
	call('crossing');
	mov(edi, eax);
	mov(esi, dword('crossing', 1));
	hlt();
	align(pageBytes, 0);
	zeros(pageBytes - 3);
	label('crossing');
	bytes(0xb8, 0x11, 0x22, 0x33, 0x44);
	ret();
});

test('an instruction across two pages is what its bytes are now, in the second page too', (t) => {
	const {processor} = startKernel(changing);
	t.is(processor.run(10_000), 'halted');
	const {general} = processor.core.state;
	const [before, after] = [0x4433_2211n, 0x5533_2211n];
	t.deepEqual([general[3], general[2], general[7], general[6]], [before, before, after, after]);
});

test('a jump across two pages, of which another has taken the place of the first, goes to that one', (t) => {
	const start = codeAt + pageBytes - 1;
	const {processor, ram} = startBytes([], start);
	const {state} = processor.core;
	// Both pages have the same jump, back by 17 bytes, to MOV AL, DEC ECX, JNZ to the jump, HLT.
	for (const [index, place] of [codeAt, 0].entries()) {
		ram.set([0xb0, index + 1, 0xff, 0xc9, 0x75, 9, 0xf4], place + 0xff0);
		ram.set([0xeb, -17 & 0xff], place + 0xfff);
	}
	const results = [codeAt, 0, codeAt].map((place) => {
		new BigUint64Array(ram.buffer, tables + 0x2000)[codeAt >> 21] = BigInt(place) | 0x87n;
		processor.changed();
		processor.isHalted = false;
		state.rip = BigInt(start);
		state.general[1] = 50n;
		processor.run(1000);
		return state.general[0];
	});
	t.deepEqual(results, [1n, 2n, 1n]);
});

for (const heat of [undefined, 20])
	test(`a loop with an instruction across two pages goes on without TypeScript, with ${heat ?? 'no'} executions before translations`, (t) => {
		const start = codeAt + pageBytes - 2;
		// MOV ECX,5000. ADD EBX,imm32, of which four bytes are in the next page; DEC ECX; JNZ back; HLT.
		const {processor, ram} = startBytes([0xb9, 0x88, 0x13, 0, 0], start - 5);
		ram.set([0x81, 0xc3, 3, 0, 0, 0, 0xff, 0xc9, 0x75, -10 & 0xff, 0xf4], start);
		const {state} = processor.core;
		processor.heat = heat;
		state.general[3] = 0n;
		const [exits, before] = [state.exits, state.instructions];
		t.is(processor.run(100_000), 'halted');
		t.is(state.general[3], 15_000n);
		t.is(state.instructions - before, 15_002n);
		t.true(state.exits - exits < 20, `${state.exits - exits}`);
	});

test('code whose jump across two pages has become known before it is hot has a translation', (t) => {
	const start = codeAt + pageBytes - 2;
	const loop = start - 7;
	// HLT. DEC ECX; JZ to HLT; ADD EBX,1; a jump back to DEC, of which three bytes are in the next page.
	const {processor, ram} = startBytes([0xf4, 0xff, 0xc9, 0x74, -5 & 0xff, 0x83, 0xc3, 1, 0xe9], loop - 1);
	new DataView(ram.buffer).setInt32(start + 1, loop - (start + 5), true);
	const {state} = processor.core;
	processor.heat = 20;
	state.rip = BigInt(loop);
	state.general[1] = 5000n;
	state.general[3] = 0n;
	t.is(processor.run(100_000), 'halted');
	t.is(state.general[3], 4999n);
	t.is(processor.translations.size.translations, 1);
});

test('hundreds of instructions across two pages stay known beside each other', (t) => {
	const pages = 400;
	const first = 0x40_0000;
	const last = first + pages * pageBytes;
	const {processor, ram} = startBytes([], first, {ramBytes: last + pageBytes});
	const {state} = processor.core;
	const jump = (from: number, to: number) => {
		ram[from] = 0xe9;
		new DataView(ram.buffer).setInt32(from + 1, to - from - 5, true);
	};
	// From the end of each page to that of the next one, and from the last one to DEC ECX, JNZ to the first, HLT.
	for (let at = first + pageBytes - 2; at < last - pageBytes; at += pageBytes) jump(at, at + pageBytes);
	jump(last - 2, first);
	ram.set([0xff, 0xc9, 0x0f, 0x85], first);
	new DataView(ram.buffer).setInt32(first + 4, pageBytes - 2 - 8, true);
	ram[first + 8] = 0xf4;
	state.general[1] = 20n;
	t.is(processor.run(100_000), 'halted');
	t.is(state.general[1], 0n);
	t.is(state.exits, 2 * pages + 1);
});

for (const [name, forget, isGlobal] of [
	['INVLPG of its page', 'forgetPage', 0n],
	['INVLPG of its page, which is global', 'forgetPage', 0x100n],
	['a load of CR3', 'flushLocal', 0n],
] as const)
	test(`an instruction whose second page is another is that page's behind ${name}`, (t) => {
		const start = codeAt + pageBytes - 1;
		const {processor, ram} = startBytes([], start);
		const {state} = processor.core;
		const entries = new BigUint64Array(ram.buffer, tables + 0x3000, 512);
		for (let index = 0; index < 512; index++) entries[index] = BigInt(codeAt + index * pageBytes) | 7n | isGlobal;
		new BigUint64Array(ram.buffer, tables + 0x2000)[codeAt >> 21] = BigInt(tables + 0x3000) | 7n;
		state.cr4 |= 0x80n;
		processor.changed();
		// A jump back to MOV AL,1 or MOV AL,2; HLT: nothing else of the second page is executed.
		ram.set([0xb0, 1, 0xf4, 0xb0, 2, 0xf4], codeAt + 0xff0);
		ram[start] = 0xeb;
		const places = [1, 5].map((page) => codeAt + page * pageBytes);
		ram[places[0] as number] = -17 & 0xff;
		ram[places[1] as number] = -14 & 0xff;
		const results = [0, 0, 1, 1, 0].map((index) => {
			if (entries[1] !== (BigInt(places[index] as number) | 7n | isGlobal)) {
				entries[1] = BigInt(places[index] as number) | 7n | isGlobal;
				processor.mmu[forget](BigInt(codeAt + pageBytes));
			}
			processor.isHalted = false;
			state.rip = BigInt(start);
			processor.run(1000);
			return Number((state.general[0] as bigint) & 0xffn);
		});
		t.deepEqual(results, [1, 1, 2, 2, 1]);
	});

for (const [name, at, prefix] of [
	['within a page', codeAt, []],
	['across two pages', codeAt + pageBytes - 1, []],
	['across two pages, with LOCK', codeAt + pageBytes - 1, [0xf0]],
] as const)
	test(`CMPXCHG8B compares and writes eight bytes ${name}`, (t) => {
		// CMPXCHG8B [RSI]; HLT.
		const {processor, ram} = startBytes([...prefix, 0x0f, 0xc7, 0x0e, 0xf4], at);
		const {state} = processor.core;
		const operand = codeAt + 0x8008;
		const quads = new BigUint64Array(ram.buffer, operand, 2);
		quads.set([5n, 0xaan]);
		state.general.set([5n, 9n, 0n, 7n]);
		state.general[6] = BigInt(operand);
		t.is(processor.run(1000), 'halted');
		t.deepEqual([...quads, state.zero], [0x9_0000_0007n, 0xaan, 0n]);
	});
