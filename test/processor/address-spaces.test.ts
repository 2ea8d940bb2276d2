import test from 'ava';
import {Random} from '#test/silicon';
import type {CodeDifference} from '#vcpu-worker/hypervisor';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {codeAt, handle, startBytes} from './raw-code.ts';

const pageBytes = 0x1000;
/** CR4: PAE, PGE, PCIDE. */
const cr4 = 0x2_00a0n;
const keeping = 1n << 63n;
/** Where each address space has a page of its own, and another that all have as a global one. */
const [own, common] = [0x60_0000, 0x60_1000];
/** Tables of address spaces, four pages each, by PCID; the pages, two for each, and where all of them lie for this test. */
const [tablesAt, framesAt] = [0x40_0000, 0x50_0000];
const most = 20;
const frameOf = (pcid: number, second = 0): number => framesAt + (pcid * 2 + second) * pageBytes;
const rootOf = (pcid: number): bigint => BigInt(tablesAt + pcid * 4 * pageBytes);
const Place = {code: codeAt, operand: codeAt + 0x8000} as const;
/** Present, writable, for privilege 3, accessed, dirty; and global. */
const [usual, global] = [0x67n, 0x167n];
/** RFLAGS.AC, with which accesses of the supervisor go by entries of an address space, as those of programs do. */
const alignment = 0x4_0000;

/** A processor with address spaces, and what tests do there. */
function startSpaces({isLifted = true, heat}: {readonly isLifted?: boolean; readonly heat?: number} = {}) {
	const guest = startBytes([], codeAt, {ramBytes: 0x80_0000});
	const {processor, ram} = guest;
	const {state} = processor.core;
	const words = new BigUint64Array(ram.buffer);
	const map = (pcid: number, linear: number, frame: number, flags = usual) => {
		const index = Number(rootOf(pcid)) / 8 + 3 * 512 + (linear - own) / pageBytes;
		words[index] = BigInt(frame) | flags;
	};
	for (let pcid = 0; pcid < most; pcid++) {
		const root = Number(rootOf(pcid)) / 8;
		words[root] = words[root + 511] = (rootOf(pcid) + 0x1000n) | 7n;
		words[root + 512] = words[root + 512 + 510] = (rootOf(pcid) + 0x2000n) | 7n;
		// The same for all, and global, but for the pages of this test.
		for (let index = 0; index < 512; index++) words[root + 1024 + index] = (BigInt(index) << 21n) | 0x187n;
		words[root + 1024 + own / 2 ** 21] = (rootOf(pcid) + 0x3000n) | 7n;
		map(pcid, own, frameOf(pcid));
		map(pcid, common, frameOf(0, 1), global);
		ram[frameOf(pcid)] = 100 + pcid;
		ram[frameOf(pcid, 1)] = 200 + pcid;
	}
	handle(guest, 13, [0xf4]);
	Object.assign(state, {cr3: rootOf(0), cr4});
	processor.heat = heat;
	processor.changed();
	/** Runs code of privilege 0 to its HLT. @returns what is then in BL */
	const run = (code: readonly number[], registers: Readonly<Record<number, bigint>> = {}): number => {
		const at = Place.code + starts.length * 64;
		const known = starts.indexOf(code.join());
		if (known < 0) {
			ram.set([...code, 0xf4], at);
			starts.push(code.join());
		}
		for (const [register, value] of Object.entries(registers)) state.general[Number(register)] = value;
		Object.assign(state, {rip: BigInt(known < 0 ? at : Place.code + known * 64)});
		state.controlFlags = isLifted ? state.controlFlags | alignment : state.controlFlags & ~alignment;
		processor.isHalted = false;
		const end = processor.run(10_000);
		if (end !== 'halted') throw new Error(`the code ended by ${end}`);
		return Number((state.general[3] as bigint) & 0xffn);
	};
	const starts: string[] = [];
	const rootWith = (pcid: number, keeps: boolean) => rootOf(pcid) | BigInt(pcid) | (keeps ? keeping : 0n);
	/** Loads CR3, then BL from a linear address. */
	const read = (pcid: number, keeps = true, linear = own): number =>
		run([0x0f, 0x22, 0xd8, 0x8a, 0x1e], {0: rootWith(pcid, keeps), 6: BigInt(linear)});
	/** INVPCID RAX,[RDI]. */
	const invalidate = (type: bigint, pcid: number, linear = 0) => {
		words.set([BigInt(pcid), BigInt(linear)], Place.operand / 8);
		run([0x66, 0x0f, 0x38, 0x82, 0x07], {0: type, 7: BigInt(Place.operand)});
	};
	return {guest, state, run, read, invalidate, map, rootWith};
}

for (const isLifted of [true, false])
	test(`each PCID has translations of its own, however many there are, with AC ${isLifted ? 'set' : 'clear'}`, (t) => {
		const {read} = startSpaces({isLifted});
		for (let round = 0; round < 3; round++)
			for (let pcid = 1; pcid < most; pcid++) t.is(read(pcid), 100 + pcid, `round ${round}`);
		for (let pcid = most - 1; pcid > 0; pcid--) t.is(read(pcid), 100 + pcid);
	});

test('what is known of the address spaces of six PCIDs stays while they are loaded with bit 63', (t) => {
	const {read, state} = startSpaces();
	const misses = () => {
		const before = state.tlbMisses;
		for (let pcid = 1; pcid <= 6; pcid++) t.is(read(pcid), 100 + pcid);
		return state.tlbMisses - before;
	};
	t.true(misses() >= 6);
	t.is(misses(), 0);
	t.is(misses(), 0);
});

test('a load of CR3 without bit 63 forgets what is known of its PCID, and of no other', (t) => {
	const {read, map} = startSpaces();
	for (const pcid of [1, 2]) read(pcid);
	for (const pcid of [1, 2]) map(pcid, own, frameOf(pcid, 1));
	t.deepEqual([read(1), read(2)], [101, 102], 'nobody has asked to forget them');
	t.is(read(1, false), 201);
	t.deepEqual([read(2), read(1)], [102, 201]);
	t.is(read(2, false), 202);
});

test('PCIDs of which something is forgotten when there is no room find their tables again', (t) => {
	const {read, map} = startSpaces();
	for (let pcid = 1; pcid < most; pcid++) read(pcid);
	for (let pcid = 1; pcid < most; pcid++) map(pcid, own, frameOf(pcid, 1));
	// The first have given way to others.
	t.deepEqual(
		[1, 2, 3].map((pcid) => read(pcid)),
		[201, 202, 203],
	);
});

/** INVPCID in another address space, and what address spaces 1 and 3 have then: the new page, or what they had. */
const invalidations = [
	['one address', 0n, own, [201, 103]],
	['one PCID', 1n, 0, [201, 103]],
	['all PCIDs and global pages', 2n, 0, [201, 203]],
	['all PCIDs', 3n, 0, [201, 203]],
] as const;

for (const [name, type, linear, [first, third]] of invalidations)
	test(`INVPCID of ${name} reaches what is known of a PCID that is not the present one`, (t) => {
		const {read, map, invalidate} = startSpaces();
		for (const pcid of [1, 3, 2]) read(pcid);
		for (const pcid of [1, 3]) map(pcid, own, frameOf(pcid, 1));
		invalidate(type, 1, linear);
		t.is(read(1), first);
		// An address may be forgotten in more than its PCID.
		const others = read(3);
		t.true(others === third || (type === 0n && others === 203), `${others}`);
	});

test('global pages are known in all address spaces, until INVLPG in one of them', (t) => {
	const {read, run, map} = startSpaces();
	for (const pcid of [1, 2]) t.is(read(pcid, true, common), 200);
	for (const pcid of [1, 2]) map(pcid, common, frameOf(5, 1), global);
	t.is(read(1, false, common), 200, 'a load of CR3 forgets none');
	// INVLPG [RSI].
	run([0x0f, 0x01, 0x3e], {6: BigInt(common)});
	t.deepEqual([read(2, true, common), read(1, true, common)], [205, 205]);
});

for (const [name, bit] of [
	['PGE', 0x80n],
	['PCIDE', 0x2_0000n],
] as const)
	test(`CR4.${name} that is cleared forgets what is known of all PCIDs`, (t) => {
		const {read, run, map} = startSpaces();
		for (const pcid of [1, 2, 0]) read(pcid);
		for (const pcid of [1, 2]) map(pcid, own, frameOf(pcid, 1));
		for (const value of [cr4 & ~bit, cr4]) run([0x0f, 0x22, 0xe0], {0: value});
		t.deepEqual([read(1), read(2)], [201, 202]);
	});

test('without PCIDs the low bits of CR3 tell no address space', (t) => {
	const {read, run, map} = startSpaces();
	read(0);
	run([0x0f, 0x22, 0xe0], {0: 0xa0n});
	// PWT: a load without PCIDs forgets, whatever the bits are.
	const load = () => run([0x0f, 0x22, 0xd8, 0x8a, 0x1e], {0: rootOf(4) | 8n, 6: BigInt(own)});
	t.is(load(), 104);
	map(4, own, frameOf(4, 1));
	t.is(load(), 204);
});

for (const heat of [undefined, 1, 5])
	test(`programs at one address are each that of its PCID, with ${heat ?? 'no'} executions before translations`, (t) => {
		const {guest, state, read, run, map, invalidate, rootWith} = startSpaces(heat === undefined ? {} : {heat});
		// MOV BL,n; XOR BL,0; JMP to the next instruction; HLT, which ends a program by an exception.
		const program = (n: number) => [0xb3, n, 0x80, 0xf3, 0, 0xeb, 0, 0xf4];
		for (let pcid = 1; pcid < 10; pcid++)
			for (const second of [0, 1]) guest.ram.set(program(10 * pcid + second), frameOf(pcid, second) + 0x10);
		state.efer |= 1n;
		state.star = 0x20n << 48n;
		// MOV CR3,RAX; SYSRET to the program.
		const call = (pcid: number, keeps = true) =>
			run([0x0f, 0x22, 0xd8, 0x48, 0x0f, 0x07], {0: rootWith(pcid, keeps), 1: BigInt(own + 0x10), 11: 2n});
		const all = (count: number) => Array.from({length: count}, (_, index) => call(index + 1));
		for (let round = 0; round < 8; round++) t.deepEqual(all(9), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
		for (let round = 0; round < 8; round++) t.deepEqual(all(4), [10, 20, 30, 40]);
		const misses = state.blockMisses;
		t.deepEqual(all(4), [10, 20, 30, 40]);
		t.is(state.blockMisses, misses, 'all blocks are known');
		for (let pcid = 1; pcid < 5; pcid++) map(pcid, own, frameOf(pcid, 1));
		invalidate(1n, 2);
		t.deepEqual(all(4), [10, 21, 30, 40]);
		t.is(call(1, false), 11);
		invalidate(3n, 0);
		t.deepEqual(all(4), [11, 21, 31, 41]);
		t.is(read(9), 109);
	});

test('a store by an entry of another address space into code that has been decoded since then is seen', (t) => {
	const {guest, run, map, rootWith} = startSpaces();
	const code = frameOf(7);
	// MOV BL,1; RET.
	guest.ram.set([0xb3, 1, 0xc3], code);
	map(1, own, code);
	map(2, own, code);
	// MOV CR3,RAX; MOV [RSI],CL. MOV CR3,RAX; CALL RSI.
	const store = (value: bigint) =>
		run([0x0f, 0x22, 0xd8, 0x88, 0x0e], {0: rootWith(1, true), 6: BigInt(own + 1), 1: value});
	const call = () => run([0x0f, 0x22, 0xd8, 0xff, 0xd6], {0: rootWith(2, true), 6: BigInt(own)});
	store(5n);
	t.is(call(), 5);
	store(6n);
	t.is(call(), 6);
	store(7n);
	t.is(call(), 7);
});

test('an instruction across two global pages of a program is that of its second page behind INVLPG, also after loads of CR3', (t) => {
	const {guest, state, read, run, map, rootWith} = startSpaces();
	const [first, second, other] = [frameOf(1), frameOf(0, 1), frameOf(5, 1)];
	// MOV BL,1; HLT; MOV BL,2; HLT; at the end of the page a jump back to either, whose offset is in the next page.
	guest.ram.set([0xb3, 1, 0xf4, 0xb3, 2, 0xf4], first + 0xff0);
	guest.ram[first + 0xfff] = 0xeb;
	guest.ram[second] = -17 & 0xff;
	guest.ram[other] = -14 & 0xff;
	map(1, own, first, global);
	state.efer |= 1n;
	state.star = 0x20n << 48n;
	const call = () => run([0x0f, 0x22, 0xd8, 0x48, 0x0f, 0x07], {0: rootWith(1, true), 1: BigInt(own + 0xfff), 11: 2n});
	t.deepEqual([call(), call()], [1, 1]);
	read(1, false);
	map(1, common, other, global);
	run([0x0f, 0x01, 0x3e], {6: BigInt(common)});
	t.is(call(), 2);
});

test('code in a page that has become global is forgotten by INVLPG, also after loads of CR3', (t) => {
	const {guest, run, map, read, rootWith} = startSpaces();
	for (const second of [0, 1]) {
		// MOV BL,n; RET, at two places.
		guest.ram.set([0xb3, 1 + second, 0xc3], frameOf(1, second));
		guest.ram.set([0xb3, 3 + second, 0xc3], frameOf(1, second) + 0x100);
	}
	// MOV CR3,RAX; CALL RSI.
	const call = (at: number) => run([0x0f, 0x22, 0xd8, 0xff, 0xd6], {0: rootWith(1, true), 6: BigInt(at)});
	const stay = (at: number) => run([0xff, 0xd6], {6: BigInt(at)});
	t.is(call(own), 1);
	map(1, own, frameOf(1), global);
	t.is(stay(own + 0x100), 3);
	read(1);
	map(1, own, frameOf(1, 1), global);
	run([0x0f, 0x01, 0x3e], {6: BigInt(own)});
	t.is(stay(own + 0x100), 4);
});

test('no store goes by an entry of an address space once all entries have been forgotten', (t) => {
	const {guest, run, map, rootWith} = startSpaces();
	const code = frameOf(7);
	guest.ram.set([0xb3, 1, 0xc3], code);
	for (const pcid of [1, 2]) map(pcid, own, code);
	const store = (value: bigint) =>
		run([0x0f, 0x22, 0xd8, 0x88, 0x0e], {0: rootWith(1, true), 6: BigInt(own + 1), 1: value});
	const call = () => run([0x0f, 0x22, 0xd8, 0xff, 0xd6], {0: rootWith(2, true), 6: BigInt(own)});
	store(5n);
	guest.processor.mmu.forgetEntries();
	t.is(call(), 5);
	store(6n);
	t.is(call(), 6);
});

test('an address space that is entered before anything has been accessed begins without translations', (t) => {
	const {guest, state, read, rootWith} = startSpaces();
	const {processor, ram} = guest;
	const words = new BigUint64Array(ram.buffer);
	for (const pcid of [1, 2]) words[Number(rootOf(pcid)) / 8 + 1024] = 0x20_0187n;
	ram[0x20_0000 + 0x800] = 77;
	ram[0x800] = 66;
	// MOV CR3,RCX; MOV CR3,RDX, step by step.
	const at = Place.code + 0x4000;
	ram.set([0x0f, 0x22, 0xd9, 0x0f, 0x22, 0xda], at);
	state.general[1] = rootWith(1, true);
	state.general[2] = rootWith(2, true);
	state.rip = BigInt(at);
	processor.debug.plan = {step: true, breakpoints: [], hardware: [], stops: []};
	for (let step = 0; step < 2; step++) t.is(processor.run(100), 'debug');
	processor.debug.plan = undefined;
	t.is(read(2, true, 0x800), 77);
});

test('programs of all address spaces do the same in lockstep', (t) => {
	const {guest, state, run, rootWith} = startSpaces({heat: 1});
	const {processor, ram} = guest;
	const found: CodeDifference[] = [];
	const random = new Random(5);
	const numbers = () => random.below(2 ** 30) / 2 ** 30;
	processor.lockstep = new Lockstep(processor, {random: numbers, found: (each) => found.push(each)});
	// MOV R10D,20. MOV ECX,50; MOV EDI,own+800h; REP STOSB; MOV BL,CL; ADD BL,n; DEC R10D; JNZ to MOV ECX; HLT.
	const program = (n: number) => [
		...[0x41, 0xba, 20, 0, 0, 0, 0xb9, 50, 0, 0, 0, 0xbf, 0, 8, 0x60, 0, 0xf3, 0xaa, 0x88, 0xcb, 0x80, 0xc3, n],
		...[0x41, 0xff, 0xca, 0x75, -22 & 0xff, 0xf4],
	];
	for (let pcid = 1; pcid < 8; pcid++) ram.set(program(10 * pcid), frameOf(pcid) + 0x10);
	state.efer |= 1n;
	state.star = 0x20n << 48n;
	const call = (pcid: number) =>
		run([0x0f, 0x22, 0xd8, 0x48, 0x0f, 0x07], {0: rootWith(pcid, true), 1: BigInt(own + 0x10), 11: 2n});
	for (let round = 0; round < 4; round++)
		t.deepEqual(
			[1, 2, 3, 4, 5, 6, 7].map((pcid) => call(pcid)),
			[10, 20, 30, 40, 50, 60, 70],
		);
	t.deepEqual(found, []);
	t.is(processor.lockstep.counters.uncompared, 0);
	t.true(processor.lockstep.counters.rounds > 20);
});
