import test from 'ava';
import {Random} from '#test/silicon';
import {CpuState, memoryMap, mmxAt, vectorAt, xsaveAreaBytes} from '#vcpu-worker/software/state';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, handle, startBytes, tables} from './raw-code.ts';

const hlt = 0xf4;
/** XSAVES64 and XRSTORS64 at RSI and a distance, the same without REX.W, by an index, and at ESI. */
const instructions = [
	[0x48, 0x0f, 0xc7, 0xae, 0x40, 0, 0, 0],
	[0x0f, 0xc7, 0xae, 0x40, 0, 0, 0],
	[0x48, 0x0f, 0xc7, 0x9e, 0xc0, 0xff, 0xff, 0xff],
	[0x0f, 0xc7, 0x9e, 0xc0, 0xff, 0xff, 0xff],
	[0x48, 0x0f, 0xc7, 0x1c, 0x16],
	[0x67, 0x48, 0x0f, 0xc7, 0x6e, 0x40],
];
const distances = [0x40, 0x40, -0x40, -0x40, 0, 0x40];
const areaAt = 0x28_0000;
/** Where the same memory is once more: above what 32 bits of an address name. */
const elsewhere = 1n << 39n;
const pageBytes = 4096;
const header = 512;
const compacted = 1n << 63n;
/** #NM, #GP, #PF. */
const vectors = [7, 13, 14];
const [initialControl, initialMxcsr] = [0x37f, 0x1f80];
const cases = 1500;

/** Carries out one of them by state and area of a number. */
function runCase(number: number, guest: GuestProcessor): string {
	const random = new Random(number);
	const {processor, ram} = guest;
	const {state, memory} = processor.core;
	const seldom = <T>(usual: T, ...others: T[]): T => (random.oneIn(12) ? random.pick(others) : usual);
	const which = seldom(random.below(5), 5);
	const area = areaAt + random.below(40) * 64 + seldom(0, 8, 0x1000 - 0x200);
	ram.set([...(instructions[which] as number[]), hlt], codeAt);
	processor.mmu.code.written(codeAt, pageBytes, 0);
	random.fill(new Uint32Array(ram.buffer, areaAt, (2 * pageBytes) / 4));
	const view = new DataView(ram.buffer);
	const form = seldom(7n, 6n, 3n, 2n, 0n, 15n);
	const held = seldom(random.oneIn(2) ? form : form & ~1n, form & 6n & random.u64(), form, 8n, 1n << 62n);
	for (let at = 0; at < 64; at += 8) view.setBigUint64(area + header + at, seldom(0n, random.u64()), true);
	view.setBigUint64(area + header, held, true);
	view.setBigUint64(area + header + 8, seldom(compacted | form, form), true);
	view.setUint32(area + 24, seldom(initialMxcsr, 0x9fc0, random.u32()), true);
	for (const half of [0, 4])
		for (let register = 0; register < 16; register++) {
			const words = new Uint32Array(memory, vectorAt(register) + half * 4, 4);
			if (random.oneIn(3)) random.fill(words);
			else words.fill(0);
			if (number % 3 === 0) words.fill(0);
		}
	const x87 = new Uint32Array(memory, mmxAt(0), 32).fill(0);
	Object.assign(state, {x87Control: initialControl, x87Status: 0, x87Tags: 0, x87Opcode: 0});
	Object.assign(state, {x87InstructionPointer: 0n, x87DataPointer: 0n, mxcsr: seldom(initialMxcsr, 0x1fa0, 0x9fc0)});
	if (random.oneIn(2)) {
		if (random.oneIn(2)) x87[random.below(32) & ~1] = random.u32();
		else {
			random.fill(x87);
			for (let word = 2; word < x87.length; word += 4) x87.set([(x87[word] as number) & 0xffff, 0], word);
		}
		const x87Status = random.pick([0, 0x3800, 0x1a21, 0xffff]);
		Object.assign(state, {x87Tags: seldom(0, 0xff, 0x5a), x87Status, x87Opcode: seldom(0, 0x123)});
		Object.assign(state, {x87Control: seldom(initialControl, 0x27f), x87DataPointer: seldom(0n, 5n)});
		state.x87InstructionPointer = seldom(0n, random.u64());
	}
	state.general.fill(0n);
	const [low, high] = [seldom(7n, 0n, 2n, 4n, 6n, random.u64() & 0xffff_ffffn), seldom(0n, 0xffff_ffffn)];
	Object.assign(state.general, {
		0: low,
		2: which === 4 ? 0n : high,
		4: 0x2f_0000n,
		6: BigInt(area - (distances[which] ?? 0)) | (which === 5 ? elsewhere : 0n),
	});
	Object.assign(state, {
		...{rip: BigInt(codeAt), controlFlags: 2, cr2: 0n, xcr0: seldom(7n, 3n, 1n)},
		...{cr0: seldom(0x8001_0033n, 0x8001_003bn), cr4: seldom(0x4_0220n, 0x220n)},
	});
	const privilege = seldom(0, 3);
	Object.assign(state.segments[1] ?? {}, {selector: 8 | privilege, attributes: 0xa09b | (privilege << 5)});
	Object.assign(state.segments[2] ?? {}, {selector: 16 | privilege, attributes: 0xc093 | (privilege << 5)});
	processor.isHalted = false;
	processor.changed();
	return processor.run(50);
}

test('XSAVES and XRSTORS leave in the usual case what they leave in all others', (t) => {
	const [ours, theirs] = [startBytes([hlt]), startBytes([hlt])];
	for (const guest of [ours, theirs]) {
		for (const vector of vectors) handle(guest, vector, [hlt]);
		const top = new BigUint64Array(guest.ram.buffer, tables, 2);
		top[1] = top[0] as bigint;
	}
	const usual = {count: 0};
	for (const {processor} of [ours, theirs]) {
		const {mmu} = processor;
		const systemPlace = mmu.systemPlace.bind(mmu);
		const placeOf = (...of: Parameters<typeof systemPlace>) => {
			if (of[2] !== xsaveAreaBytes) return systemPlace(...of);
			if (processor === theirs.processor) return -1;
			usual.count++;
			return systemPlace(...of);
		};
		Object.assign(mmu, {systemPlace: placeOf});
	}
	for (let number = 1; number <= cases; number++) {
		t.is(runCase(number, ours), runCase(number, theirs), `case ${number}`);
		for (const [name, from, to] of [
			['registers', memoryMap.state, CpuState.offset('instructions')],
			['TLB', memoryMap.tlb, memoryMap.jumps],
		] as const) {
			const [one, other] = [ours, theirs].map(({processor}) => new Uint8Array(processor.core.memory, from, to - from));
			if (Buffer.compare(one as Uint8Array, other as Uint8Array) !== 0) t.fail(`case ${number}: ${name}`);
		}
		const [one, other] = [ours, theirs].map(({ram}) => ram.subarray(areaAt, areaAt + 2 * pageBytes));
		t.is(Buffer.compare(one as Uint8Array, other as Uint8Array), 0, `case ${number}: the area`);
	}
	t.true(usual.count > cases / 2, `${usual.count}`);
});
