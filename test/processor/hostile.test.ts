import test from 'ava';
import {
	codeAt,
	descriptors,
	gates,
	handle,
	handlerAt,
	kernelCode,
	runBytes,
	stackTop,
	startBytes,
	tables,
	upperHalf,
} from './raw-code.ts';

const ud2 = [0x0f, 0x0b];
const hlt = 0xf4;

test('an instruction that crosses pages is executed once, whatever the code behind it does', (t) => {
	// ADD EAX,1 across the border; OUT 80h,AL; DEC ECX; JNZ to the ADD: in the second round all blocks are known.
	const guest = startBytes([0x05, 1, 0, 0, 0, 0xe6, 0x80, 0xff, 0xc9, 0x75, 0xf5, hlt], codeAt + 0x1000 - 2);
	guest.processor.core.state.general.set([0n, 4n]);
	t.is(guest.processor.run(1000), 'halted');
	const values = guest.writes.map(({value}) => value);
	t.deepEqual(values, [1, 2, 3, 4]);
});

test('an instruction at the end of a page does not touch CR2 for the page behind it, which is missing', (t) => {
	// MOV RAX,CR2; HLT.
	const guest = startBytes([0x0f, 0x20, 0xd0, hlt], codeAt + 0x1f_fffc);
	const entries = new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512);
	entries[2] = 0n;
	const {state} = guest.processor.core;
	state.cr2 = 5n;
	t.is(guest.processor.run(1000), 'halted');
	t.deepEqual([state.general[0], state.cr2], [5n, 5n]);
});

test('a port string without end, and faults without end, stop with the budget', (t) => {
	// REP OUTSB.
	const guest = startBytes([0xf3, 0x6e, hlt]);
	guest.processor.core.state.general[1] = 2n ** 64n - 1n;
	t.is(guest.processor.run(10_000), 'polled');
	t.true(guest.writes.length < 12_000, `${guest.writes.length} elements`);
	const {general} = guest.processor.core.state;
	t.is(general[1], 2n ** 64n - 1n - BigInt(guest.writes.length));

	const handler = startBytes(ud2);
	handle(handler, 6, ud2);
	t.is(handler.processor.run(10_000), 'polled');
	const nowhere = startBytes(ud2);
	handle(nowhere, 6, ud2);
	handle(nowhere, 14, []);
	new BigUint64Array(nowhere.ram.buffer, gates, 512)[28] = 0xffff_8e01_0008_0000n;
	new BigUint64Array(nowhere.ram.buffer, tables + 0x2000, 512)[2] = 0n;
	nowhere.processor.core.state.rip = 0xffff_0000n;
	t.is(nowhere.processor.run(10_000), 'polled');
});

test('an exception of compatibility mode finds its handler by tables in the upper half', (t) => {
	const guest = startBytes(ud2);
	handle(guest, 6, [hlt]);
	const {state} = guest.processor.core;
	Object.assign(state.segments[1] ?? {}, {attributes: 0xc09b, selector: 0x18});
	guest.processor.changed();
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.rip, BigInt(handlerAt + 1));
});

test('code that the last instruction of a block has rewritten is not executed as it was', (t) => {
	// 29 NOP; CMP ECX,1; CMOVE RDI,RSI; MOV [RDI],CL ends the block; MOV AL,0 of which RSI is the constant; OUT 80h,AL; DEC ECX; JNZ.
	const store = [0x83, 0xf9, 1, 0x48, 0x0f, 0x44, 0xfe, 0x88, 0x0f];
	const code = [...Array<number>(29).fill(0x90), ...store, 0xb0, 0, 0xe6, 0x80, 0xff, 0xc9, 0x75, 0xd2, hlt];
	const guest = startBytes(code);
	const {general} = guest.processor.core.state;
	general[1] = 4n;
	general[6] = BigInt(codeAt + 39);
	general[7] = BigInt(stackTop);
	t.is(guest.processor.run(10_000), 'halted');
	const values = guest.writes.map(({value}) => value);
	t.deepEqual(values, [0, 0, 0, 1]);
});

test('a program cannot jump to what only looks like an address of the kernel', (t) => {
	// INC EBX; SYSRET to JMP RAX.
	const guest = startBytes([0xff, 0xc3, 0x48, 0x0f, 0x07]);
	handle(guest, 13, [hlt]);
	guest.ram.set([0xff, 0xe0], codeAt + 0x1000);
	const {state} = guest.processor.core;
	state.rip = upperHalf + BigInt(codeAt);
	state.general[0] = state.rip ^ (1n << 58n);
	state.general[1] = BigInt(codeAt + 0x1000);
	state.general[11] = 2n;
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.general[3], 1n);
});

test('an interrupt comes in where POPF or STI lets it, though the guest closes the window at once', (t) => {
	// STI; NOP; CLI; HLT, and PUSH 202h; POPF; CLI; HLT.
	for (const code of [
		[0xfb, 0x90, 0xfa, hlt],
		[0x68, 2, 2, 0, 0, 0x9d, 0xfa, hlt],
	]) {
		const guest = startBytes(code);
		guest.processor.windowWanted = true;
		t.is(guest.processor.run(1000), 'window');
		t.is(guest.processor.core.state.rip, BigInt(codeAt + code.length - 2));
	}
	// STI; HLT: the interrupt ends the wait.
	const waits = startBytes([0xfb, hlt]);
	waits.processor.windowWanted = true;
	t.is(waits.processor.run(1000), 'halted');
});

test('POPF of AC lifts SMAP for the next instruction', (t) => {
	// PUSH 40002h; POPF; MOV AL,[RDI]; HLT in a page of the kernel; RDI is one of a program.
	const guest = startBytes([0x68, 2, 0, 4, 0, 0x9d, 0x8a, 0x07, hlt]);
	const entries = new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512);
	entries[0] = 0x83n;
	entries[1] = 0x20_0083n;
	const {state} = guest.processor.core;
	entries[3] = 0x20_0087n;
	state.cr4 |= 1n << 21n;
	guest.processor.changed();
	state.general[7] = 0x60_0000n;
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.rip, BigInt(codeAt + 9));
});

test('registers that do not exist are undefined instructions', (t) => {
	// MOV RAX,DR8; MOV DR8,RAX; MOV EAX,sreg 6.
	for (const code of [
		[0x44, 0x0f, 0x21, 0xc0],
		[0x44, 0x0f, 0x23, 0xc0],
		[0x8c, 0xf0],
	]) {
		const guest = startBytes([...code, 0xeb, 0xfe]);
		handle(guest, 6, [hlt]);
		t.is(guest.processor.run(1000), 'halted');
	}
});

test('a request of another thread survives a fault that takes back what its instruction did', (t) => {
	const {core} = startBytes([hlt]).processor;
	const saved = core.save();
	core.state.request = 1;
	core.restore(saved);
	t.is(core.state.request, 1);
});

test('LTR outside of long mode takes a descriptor of 8 bytes, which may be the last of its table', (t) => {
	// LTR AX; HLT in 32-bit code.
	const guest = startBytes([0x0f, 0x00, 0xd8, hlt]);
	const {state} = guest.processor.core;
	Object.assign(state, {cr0: 0x11n, cr4: 0n, efer: 0n});
	Object.assign(state.segments[1] ?? {}, {attributes: 0xc09b, selector: kernelCode});
	new BigUint64Array(guest.ram.buffer, descriptors, 4)[3] = 0x0000_8900_1000_0067n;
	Object.assign(state.gdtr, {base: BigInt(descriptors), limit: 0x1f});
	state.general[0] = 0x18n;
	guest.processor.changed();
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.segments[7]?.base, 0x1000n);
});

test('blocks do not stay linked across physical pages that a linear page was one after the other', (t) => {
	const [linear, first, second] = [0x60_0000, 0x22_0000, 0x23_0000];
	const pages = tables + 0x3000;
	const guest = startBytes([
		...[0xb0, 1, 0xff, 0xd6], // MOV AL,1; CALL RSI
		...[0x4c, 0x89, 0x07], // MOV [RDI],R8: the other page, without INVLPG
		...[0xb0, 0, 0xff, 0xd6, 0xff, 0xd6, 0xff, 0xd6], // MOV AL,0; CALL RSI three times
		...[0x4c, 0x89, 0x0f, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8], // MOV [RDI],R9; MOV RAX,CR3; MOV CR3,RAX
		...[0xb0, 0, 0xff, 0xd6, hlt],
	]);
	new BigUint64Array(guest.ram.buffer, tables + 0x2000, 512)[3] = BigInt(pages) | 7n;
	new BigUint64Array(guest.ram.buffer, pages, 512)[0] = BigInt(first) | 7n;
	for (const [number, page] of [first, second].entries()) {
		// TEST AL,AL; JZ 100h; RET, and there MOV BL,1 or 2; RET.
		guest.ram.set([0x84, 0xc0, 0x0f, 0x84, 0xf8, 0, 0, 0, 0xc3], page);
		guest.ram.set([0xb3, number + 1, 0xc3], page + 0x100);
	}
	const {general} = guest.processor.core.state;
	general.set([BigInt(linear), BigInt(pages), BigInt(second) | 7n, BigInt(first) | 7n], 6);
	t.is(guest.processor.run(1000), 'halted');
	t.is(general[3], 1n);
});

test('strings of 64-bit code do not go by the base that ES has from other code', (t) => {
	// STOSB; HLT.
	const guest = startBytes([0xaa, hlt]);
	const {state} = guest.processor.core;
	Object.assign(state.segments[0] ?? {}, {base: 0x1000n});
	state.general[0] = 0x5an;
	state.general[7] = BigInt(stackTop);
	t.is(guest.processor.run(1000), 'halted');
	t.deepEqual([guest.ram[stackTop], guest.ram[stackTop + 0x1000]], [0x5a, 0]);
});

test('code that has just left real mode has privilege 0, whatever its selector is', (t) => {
	// MOV CR0,EAX; MOV EBX,CR0; HLT in 16-bit code.
	const guest = startBytes([0x0f, 0x22, 0xc0, 0x0f, 0x20, 0xc3, hlt], 0x1270);
	const {state} = guest.processor.core;
	Object.assign(state, {cr0: 0x10n, cr4: 0n, efer: 0n, rip: 0n});
	Object.assign(state.segments[1] ?? {}, {base: 0x1270n, limit: 0xffff, attributes: 0x9b, selector: 0x127});
	state.general[0] = 0x11n;
	guest.processor.changed();
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.general[3], 0x11n);
});

test('bases of ES, DS and SS count in code of 32 bits alone', (t) => {
	// MOV DS,EAX; MOV [RSP+RCX],AL; HLT.
	const guest = startBytes([0x8e, 0xd8, 0x88, 0x04, 0x0c, hlt]);
	handle(guest, 6, []);
	const {state} = guest.processor.core;
	new BigUint64Array(guest.ram.buffer, descriptors, 4)[2] = 0x00cf_9300_1000_ffffn;
	Object.assign(state.segments[2] ?? {}, {base: 0x1000n});
	state.general[0] = 0x10n;
	guest.processor.changed();
	t.is(guest.processor.run(1000), 'halted');
	t.is(state.segments[3]?.base, 0x1000n);
	t.deepEqual([guest.ram[stackTop], guest.ram[stackTop + 0x1000]], [0x10, 0]);
});

test('an exception on a stack that is not canonical is one of the stack', (t) => {
	const guest = startBytes(ud2);
	handle(guest, 6, []);
	handle(guest, 12, [hlt]);
	const gate = new BigUint64Array(guest.ram.buffer, gates + 6 * 16, 1);
	gate[0] = (gate[0] ?? 0n) & ~(7n << 32n);
	guest.processor.core.state.general[4] = 1n << 60n;
	t.is(guest.processor.run(1000), 'halted');
	t.is(guest.processor.core.state.rip, BigInt(handlerAt + 1));
});

test('code of real mode can write to its own segment', (t) => {
	// JMP 700h:5; MOV CS:[100h],AL; HLT.
	const guest = startBytes([0xea, 5, 0, 0, 7, 0x2e, 0xa2, 0, 1, hlt], 0x7000);
	const {state} = guest.processor.core;
	Object.assign(state, {cr0: 0x10n, cr4: 0n, efer: 0n});
	Object.assign(state.segments[1] ?? {}, {limit: 0xffff, attributes: 0x9b});
	state.general[0] = 0x5an;
	guest.processor.changed();
	t.is(guest.processor.run(1000), 'halted');
	t.is(guest.ram[0x7100], 0x5a);
});

test('translations that are forgotten and made again and again take no more memory than the TLB has entries', (t) => {
	const linear = 0x60_0000;
	// A page that has the same entry of the TLB, 4096 pages on.
	const other = linear + 4096 * 4096;
	const pages = tables + 0x3000;
	const loops = {
		// MOV AL,[RDI]; INVLPG [RDI]; DEC ECX; JNZ.
		INVLPG: [0x8a, 0x07, 0x0f, 0x01, 0x3f, 0xff, 0xc9, 0x75, 0xf7, hlt],
		// MOV AL,[RDI]; MOV AL,[RSI]; DEC ECX; JNZ: a page that is global, and one that is not.
		'two pages': [0x8a, 0x07, 0x8a, 0x06, 0xff, 0xc9, 0x75, 0xf8, hlt],
	};
	for (const [name, code] of Object.entries(loops)) {
		const guest = startBytes(code);
		const {processor, ram} = guest;
		const {state} = processor.core;
		const directory = new BigUint64Array(ram.buffer, tables + 0x2000, 512);
		directory[linear >> 21] = BigInt(pages) | 7n;
		directory[other >> 21] = BigInt(pages + 0x1000) | 7n;
		new BigUint64Array(ram.buffer, pages, 512)[0] = 0x22_0007n;
		new BigUint64Array(ram.buffer, pages + 0x1000, 512)[0] = 0x23_0107n;
		state.cr4 |= 0x80n;
		state.general.set([BigInt(other), BigInt(linear)], 6);
		state.general[1] = 1000n;
		processor.changed();
		t.is(processor.run(10_000), 'halted', name);
		t.true(state.tlbMisses >= 1000, name);
		t.true(processor.mmu.listed < 10, `${name}: ${processor.mmu.listed}`);
	}
});

test('instructions that TypeScript carries out are forgotten before they are too many objects', (t) => {
	const guest = startBytes([]);
	const {core} = guest.processor;
	// CLAC, 70,000 times; HLT.
	const count = 70_000;
	const first = 0x10_0000;
	for (let index = 0; index < count; index++) guest.ram.set([0x0f, 0x01, 0xca], first + index * 3);
	guest.ram[first + count * 3] = hlt;
	core.state.rip = BigInt(first);
	t.is(guest.processor.run(count * 2), 'halted');
	t.is(core.codeEpoch, 1);
});

test('an operand on the stack that is not canonical is an exception of the stack, whoever carries out its instruction', (t) => {
	for (const code of [
		[0x48, 0x0f, 0xc7, 0x4d, 0], // CMPXCHG16B [RBP]
		[0xf0, 0x48, 0x0f, 0xc7, 0x4d, 0], // LOCK CMPXCHG16B [RBP]
		[0x0f, 0xae, 0x45, 0], // FXSAVE [RBP]
		[0x0f, 0xae, 0x4d, 0], // FXRSTOR [RBP]
	]) {
		const {vector, errorCode} = runBytes(code, {
			prepare({processor: {core}}) {
				core.state.general[5] = 1n << 63n;
				core.state.cr4 |= 0x200n;
			},
		});
		t.deepEqual([vector, errorCode], [12, 0], `${code.map((byte) => byte.toString(16))}`);
	}
});
