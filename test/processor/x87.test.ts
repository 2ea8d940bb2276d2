import test from 'ava';
import {al, edi, qword, rsp} from '#flowey/x86-assembler';
import {exitCode, exitPort, microKernel} from '#test/tmk';
import {startKernel} from './guest-processor.ts';

/** More instructions than a kernel has that ends. */
const enough = 10_000;
const undefinedOpcode = 6;
const deviceNotAvailable = 7;
const mathFault = 16;
const cr0 = 0x8001_0033n;
const [MP, EM, TS] = [2n, 4n, 8n] as const;
/** FSW with a division by 0 that is not masked. */
const waiting = {x87Control: 0x37b, x87Status: 0x8084};
const none = {x87Control: 0x37f, x87Status: 0};
const bufferAt = 0x30_0000;

/** Instructions that wait for exceptions, and those that do not. */
const fld1 = [0xd9, 0xe8];
const fnstsw = [0xdf, 0xe0];
const fnclex = [0xdb, 0xe2];
const fwait = [0x9b];
const paddb = [0x0f, 0xfc, 0xc1];
const frstor = [0xdd, 0x27];
const fnsave = [0xdd, 0x37];

/** Runs an instruction and gives the vector that it had. */
function exceptionOf(bytes: readonly number[], registers: object): number | undefined {
	const kernel = microKernel('x87', (asm, {exit, handle}) => {
		for (const vector of [undefinedOpcode, deviceNotAvailable, mathFault]) handle(vector, `on${vector}`);
		asm.mov(edi, bufferAt);
		asm.bytes(Uint8Array.from(bytes));
		exit(exitCode.ok);
		for (const vector of [undefinedOpcode, deviceNotAvailable, mathFault]) {
			asm.label(`on${vector}`);
			asm.mov(al, vector);
			asm.out(0x80, al);
			asm.add(qword(rsp), bytes.length);
			asm.iretq();
		}
	});
	const {processor, writes} = startKernel(kernel);
	Object.assign(processor.core.state, registers);
	processor.changed();
	processor.run(enough);
	if (writes.at(-1)?.port !== exitPort) throw new Error('the kernel did not end');
	return writes.find(({port}) => port === 0x80)?.value;
}

test('control registers take away the x87, MMX and FWAIT, each as the manual says', (t) => {
	for (const [bits, ofX87, ofMmx, ofWait] of [
		[0n, undefined, undefined, undefined],
		[EM, deviceNotAvailable, undefinedOpcode, undefined],
		[TS, deviceNotAvailable, deviceNotAvailable, deviceNotAvailable],
		[EM | TS, deviceNotAvailable, undefinedOpcode, deviceNotAvailable],
	] as const) {
		const registers = {cr0: cr0 | bits, ...none};
		const found = [fld1, fnstsw, fnsave, frstor, paddb, fwait].map((bytes) => exceptionOf(bytes, registers));
		t.deepEqual(found, [ofX87, ofX87, ofX87, ofX87, ofMmx, ofWait], `CR0 ${bits}`);
	}
	t.is(exceptionOf(fwait, {cr0: (cr0 & ~MP) | TS, ...none}), undefined, 'FWAIT without MP');
});

test('an exception that is not masked comes at the next instruction that waits', (t) => {
	for (const bytes of [fld1, fwait, paddb, frstor]) t.is(exceptionOf(bytes, {cr0, ...waiting}), mathFault, `${bytes}`);
	for (const bytes of [fnstsw, fnclex, fnsave]) t.is(exceptionOf(bytes, {cr0, ...waiting}), undefined, `${bytes}`);
});

test('a conversion to an XMM register waits for it where its integers are in an MMX register, not where they are in memory', (t) => {
	const registers = {cr0, cr4: 0x620n, ...waiting};
	t.is(exceptionOf([0x66, 0x0f, 0x2a, 0xc1], registers), mathFault);
	t.is(exceptionOf([0x66, 0x0f, 0x2a, 0x07], registers), undefined);
});

test('its handler finds where the instruction was that caused it, its operand and opcode', (t) => {
	const fdiv = [0xd8, 0x77, 0x08];
	const kernel = microKernel('pointers', (asm, {exit, handle}) => {
		handle(mathFault, 'math-fault');
		asm.mov(edi, bufferAt);
		// FLDCW [RDI]; FLD1; FDIV dword [RDI + 8]; NOP; FLDZ.
		asm.bytes(Uint8Array.of(0xd9, 0x2f, 0xd9, 0xe8, ...fdiv, 0x90, 0xd9, 0xee));
		exit(exitCode.wrong);
		asm.label('math-fault');
		// FNSTENV [RDI + 40].
		asm.bytes(Uint8Array.of(0xd9, 0x77, 0x40));
		exit(exitCode.ok);
	});
	const {processor, ram, writes} = startKernel(kernel);
	Object.assign(processor.core.state, none);
	const view = new DataView(ram.buffer);
	view.setUint16(bufferAt, 0x37b, true);
	processor.run(enough);
	t.is(writes.at(-1)?.value, exitCode.ok);
	const word = (index: number) => view.getUint32(bufferAt + 0x40 + index * 4, true);
	t.is(word(1) & 0xffff, 0xb884, 'FSW: ZE, ES, B, and TOP 7');
	t.deepEqual([...ram.subarray(word(3), word(3) + fdiv.length)], fdiv);
	t.is(word(4) >>> 16, 0x077);
	t.is(word(5), bufferAt + 8);
});

test('outside of 64-bit code all bytes of a number lie within the segment, or nothing of it is stored', (t) => {
	const kernel = microKernel('none', (_asm, {exit}) => exit(exitCode.ok));
	const {processor, ram, writes} = startKernel({...kernel, mode: 'real', entry: 0});
	const [code, handler] = [0x8000, 0x40];
	const generalProtection = 13;
	// FLD1; FLD1; FSTP tbyte [FFF6]; MOV AL, 1; OUT 80, AL; FSTP tbyte [FFF7]; HLT.
	ram.set([...fld1, ...fld1, 0xdb, 0x3e, 0xf6, 0xff, 0xb0, 1, 0xe6, 0x80, 0xdb, 0x3e, 0xf7, 0xff, 0xf4], code);
	ram.set([0xb0, generalProtection, 0xe6, 0x80, 0xf4], code + handler);
	ram.set([handler, 0, 0, code >> 12], generalProtection * 4);
	processor.segments.setReal(1, code >> 4);
	const {state} = processor.core;
	Object.assign(state, none);
	state.general[4] = 0x7000n;
	processor.changed();
	t.is(processor.run(enough), 'halted');
	t.deepEqual(
		writes.map(({value}) => value),
		[1, generalProtection],
	);
	t.deepEqual([...ram.subarray(0xfff5, 0x1_0001)], [0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f, 0]);
	t.is(state.x87Tags, 0x80, 'the other number is still there');
});
