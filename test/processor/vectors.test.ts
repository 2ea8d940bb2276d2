import test from 'ava';
import {al, edi, qword, rsp} from '#flowey/x86-assembler';
import {exitCode, exitPort, microKernel} from '#test/tmk';
import {startKernel} from './guest-processor.ts';

/** More instructions than a kernel has that ends. */
const enough = 100_000;
const undefinedOpcode = 6;
const deviceNotAvailable = 7;
const pageFault = 14;
const floatingPoint = 19;
/** PAE and OSFXSR. */
const cr4 = 0x220n;
/** Values of CR0 without and with what forbids instructions on XMM registers. */
const cr0 = 0x8001_0033n;
const EM = 4n;
const TS = 8n;

const someDoubles = [...new Float64Array(BigUint64Array.of(0x1122_3344_5566_7788n, 0x99aa_bbcc_ddee_ff00n).buffer)];

/** Runs an instruction of these bytes three times, and gives the exceptions that it had. */
function exceptionsOf(
	bytes: readonly number[],
	registers: {readonly cr0: bigint; readonly cr4: bigint; readonly mxcsr?: number},
	rdi: number,
	prepare = (_: Uint8Array, _pageTables: number) => {},
	xmm0: readonly number[] = someDoubles,
) {
	const kernel = microKernel('vectors', (asm, {exit, handle}) => {
		handle(undefinedOpcode, 'undefined');
		handle(deviceNotAvailable, 'not-available');
		handle(pageFault, 'page-fault');
		handle(floatingPoint, 'floating-point');
		asm.mov(edi, rdi);
		for (let time = 0; time < 3; time++) asm.bytes(Uint8Array.from(bytes));
		exit(exitCode.ok);
		for (const [name, vector, pushed] of [
			['undefined', undefinedOpcode, 0],
			['not-available', deviceNotAvailable, 0],
			['page-fault', pageFault, 8],
			['floating-point', floatingPoint, 0],
		] as const) {
			asm.label(name);
			asm.mov(al, vector);
			asm.out(0x80, al);
			if (pushed > 0) asm.add(rsp, pushed);
			asm.add(qword(rsp), bytes.length);
			asm.iretq();
		}
	});
	const guest = startKernel(kernel);
	Object.assign(guest.processor.core.state, registers);
	guest.processor.changed();
	prepare(guest.ram, kernel.pageTables ?? 0);
	guest.processor.core.state.vector256.set(new BigUint64Array(Float64Array.from(xmm0).buffer));
	guest.processor.run(enough);
	const last = guest.writes.at(-1);
	const vectors = guest.writes.filter(({port}) => port === 0x80).map(({value}) => value);
	return {guest, vectors, isOk: last?.port === exitPort && last.value === exitCode.ok};
}

/** DIVPD XMM0, XMM1; ADDPD XMM0, XMM0; UCOMISD XMM0, XMM1. */
const divide = [0x66, 0x0f, 0x5e, 0xc1];
const add = [0x66, 0x0f, 0x58, 0xc0];
const compare = [0x66, 0x0f, 0x2e, 0xc1];
/** PXOR XMM0, XMM0; MOVUPS [RDI], XMM0. */
const pxor = [0x66, 0x0f, 0xef, 0xc0];
const store = [0x0f, 0x11, 0x07];

test('instructions on XMM registers are undefined until the system says that it saves them, and not available after a task switch', (t) => {
	const run = (bits: bigint, control: bigint) => exceptionsOf(pxor, {cr0: cr0 | bits, cr4: control}, 0);
	for (const [bits, control, vectors] of [
		[0n, cr4, []],
		[0n, 0x20n, [6, 6, 6]],
		[EM, cr4, [6, 6, 6]],
		[TS, cr4, [7, 7, 7]],
		[EM | TS, cr4, [6, 6, 6]],
	] as const) {
		const {vectors: found, isOk} = run(bits, control);
		t.deepEqual([found, isOk], [vectors, true], `CR0 ${bits}, CR4 ${control}`);
	}
});

test('an exception of floating point that is not masked has its own vector or is undefined, as CR4 says, and leaves registers but for its flag', (t) => {
	const xmm0 = [0x1122_3344_5566_7788n, 0x99aa_bbcc_ddee_ff00n];
	for (const [control, mxcsr, vectors] of [
		[0x620n, 0x1d80, [19, 19, 19]],
		[0x220n, 0x1d80, [6, 6, 6]],
		[0x620n, 0x1f80, []],
	] as const) {
		const {vectors: found, isOk, guest} = exceptionsOf(divide, {cr0, cr4: control, mxcsr}, 0);
		const {state} = guest.processor.core;
		t.deepEqual([found, isOk], [vectors, true], `CR4 ${control}`);
		t.is(state.mxcsr, mxcsr | 4);
		t.deepEqual([...state.vector256.subarray(0, 2)], vectors.length > 0 ? xmm0 : [0x7ff0n << 48n, 0xfff0n << 48n]);
	}
});

test('what needs no exact arithmetic does without: normal numbers, exact or with the flag of what is not', (t) => {
	const computed = (bytes: readonly number[], mxcsr: number, xmm0: number) =>
		exceptionsOf(bytes, {cr0, cr4: 0x620n, mxcsr}, 0, () => {}, [xmm0, xmm0]).guest.processor.core.state.exactFloats;
	// One and a third that is added to itself is exact; NaNs are not WebAssembly's.
	for (const [bytes, mxcsr, value, times] of [
		[add, 0x1f80, 4 / 3, 0],
		[add, 0x9fc0, 4 / 3, 0],
		[add, 0x5f80, 4 / 3, 3],
		[add, 0x1f80, Number.NaN, 3],
		[add, 0x1f80, 2 ** -1060, 3],
		[compare, 0x0000, 4 / 3, 0],
	] as const)
		t.is(computed(bytes, mxcsr, value), times, `MXCSR ${mxcsr}, ${value}`);
});

test('a store across pages writes both, or neither where the second is missing', (t) => {
	const inRam = 0x30_0ff8;
	const done = exceptionsOf(store, {cr0, cr4}, inRam);
	t.deepEqual([done.vectors, done.isOk], [[], true]);
	t.deepEqual(
		[...done.guest.ram.subarray(inRam, inRam + 16)],
		[0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99],
	);

	// The kernel maps large pages of 2 MiB: the second of them is missing.
	const atEnd = 0x20_0000 - 8;
	const failed = exceptionsOf(store, {cr0, cr4}, atEnd, (ram, root) => {
		const entries = new BigUint64Array(ram.buffer);
		const next = (table: number) => Number((entries[table / 8] as bigint) & 0xffff_f000n);
		entries[next(next(root)) / 8 + 1] = 0n;
	});
	t.deepEqual([failed.vectors, failed.isOk], [[14, 14, 14], true]);
	t.is(failed.guest.processor.core.state.cr2, 0x20_0000n);
	t.deepEqual([...failed.guest.ram.subarray(atEnd, atEnd + 16)], Array(16).fill(0));
});

test('outside of 64-bit code all 16 bytes lie within the segment', (t) => {
	const kernel = microKernel('none', (_asm, {exit}) => exit(exitCode.ok));
	const {processor, ram, writes} = startKernel({...kernel, mode: 'real', entry: 0});
	const [code, handler] = [0x8000, 0x40];
	const generalProtection = 13;
	// MOVUPS [FFF0], XMM0; MOV AL, 1; OUT 80, AL; MOVUPS [FFF1], XMM0; HLT.
	ram.set([0x0f, 0x11, 0x06, 0xf0, 0xff, 0xb0, 1, 0xe6, 0x80, 0x0f, 0x11, 0x06, 0xf1, 0xff, 0xf4], code);
	ram.set([0xb0, generalProtection, 0xe6, 0x80, 0xf4], code + handler);
	ram.set([handler, 0, 0, code >> 12], generalProtection * 4);
	processor.segments.setReal(1, code >> 4);
	const {state} = processor.core;
	state.general[4] = 0x7000n;
	state.cr4 = cr4;
	state.vector256.fill(0x0101_0101_0101_0101n, 0, 2);
	processor.changed();
	t.is(processor.run(enough), 'halted');
	t.deepEqual(
		writes.map(({value}) => value),
		[1, generalProtection],
	);
	t.deepEqual([...ram.subarray(0xffef, 0x1_0001)], [0, ...Array(16).fill(1), 0]);
});
