// A program of 32-bit code that enters one case after the other in the mode that it wants, and keeps what each has left.
import {
	al,
	ax,
	cr0,
	cr2,
	cr3,
	createAssembler,
	cx,
	di,
	ds,
	dword,
	eax,
	ebx,
	ecx,
	edi,
	edx,
	es,
	esi,
	esp,
	fs,
	gs,
	si,
	sp,
	ss,
	word,
} from '#flowey/x86-assembler';
import {
	CaseInput,
	CaseResult,
	codeBytes,
	codeOffset,
	descriptorBytes,
	Entry,
	gateCount,
	memory,
	Selector,
	zone,
} from './layout.ts';

type Labels = ReadonlyMap<string, number>;

export interface Driver {
	/** To be at `memory.driver`, where it begins, in 32-bit code with flat segments. */
	readonly bytes: Uint8Array;
	/** To be at `memory.realCode`. */
	readonly realBytes: Uint8Array;
	/** Addresses of the handlers of protected mode, and those of real mode, by vector. */
	readonly handlers: readonly number[];
	readonly realHandlers: readonly number[];
}

const input = (name: Parameters<typeof CaseInput.offset>[0]): number => memory.current + CaseInput.offset(name);
/** PG and WP. */
const paging = 0x8001_0000;
/** Opcodes and prefixes that the assembler has no name for. */
const [pusha, popa, operandSize, inCs, inSs, repeat] = [0x60, 0x61, 0x66, 0x2e, 0x36, 0xf3];
const pushSegments = [[0x1e], [0x06], [0x0f, 0xa0], [0x0f, 0xa8]];
const lssEsp = [0x0f, 0xb2];
/** Vectors whose exceptions push an error code (SDM volume 3, table 6-1). */
const withErrorCode = new Set([8, 10, 11, 12, 13, 14, 17]);
const exitPort = 0xf4;
const maskPorts = [0x21, 0xa1];
/** Bytes that handlers find on their stack: segments, registers, vector and the interrupt's frame. */
const frameBytes = CaseResult.offset('cr2');
const realFrameBytes = CaseResult.offset('vector') + 8;
/** Where the driver goes on after real mode: behind the jump that it begins with. */
const backFromReal = memory.driver + 16;

function realModeCode(): {readonly bytes: Uint8Array; readonly labels: Labels} {
	const asm = createAssembler({origin: memory.realCode, bits: 16});
	const {label, bytes, words, dwords, mov, jmp, xor, or, and} = asm;
	// It begins in a 16-bit code segment of protected mode.
	mov(eax, cr0);
	and(eax, 0x7fff_fffe);
	mov(cr0, eax);
	bytes(0xea);
	words('real', 0);
	label('real');
	xor(ax, ax);
	mov(ds, ax);
	mov(ss, ax);
	mov(sp, memory.current);
	asm.lidt(dword('vectors'));
	mov(es, word(input('segments') + 4));
	mov(fs, word(input('segments') + 8));
	mov(gs, word(input('segments') + 12));
	bytes(operandSize, popa);
	mov(ds, word(input('segments')));
	bytes(inCs, operandSize, ...lssEsp, 0x26);
	words(input('stackBefore'));
	asm.iret();
	label('vectors');
	words(0x3ff);
	dwords(memory.realVectors);
	for (let vector = 0; vector < 256; vector++) {
		label(`vector ${vector}`);
		bytes(0x68);
		words(vector);
		jmp('handle');
	}
	label('handle');
	bytes(operandSize, pusha);
	for (const push of pushSegments) bytes(operandSize, ...push);
	xor(ax, ax);
	mov(ds, ax);
	mov(es, ax);
	mov(si, sp);
	mov(di, memory.realResult);
	mov(cx, realFrameBytes / 2);
	asm.cld();
	bytes(repeat, inSs, 0xa5);
	mov(ax, ss);
	mov(word(memory.realResult + realFrameBytes), ax);
	mov(eax, cr0);
	or(eax, 1);
	mov(cr0, eax);
	bytes(operandSize, 0xea);
	dwords(backFromReal);
	words(Selector.driverCode);
	return asm.finish();
}

/** Builds the driver for so many cases, whose results lie behind them. */
export function buildDriver(count: number): Driver {
	const asm = createAssembler({origin: memory.driver, bits: 32});
	const {label, bytes, mov, jmp, or, and, add, cmp, jae, je, push, xor} = asm;
	const endOfCases = memory.cases + count * CaseInput.size;
	const copy = (from: number, to: number, length: number) => {
		mov(esi, from);
		mov(edi, to);
		mov(ecx, length / 4);
		bytes(repeat, 0xa5);
	};
	const loadSegments = () => {
		mov(es, word(input('segments') + 4));
		mov(fs, word(input('segments') + 8));
		mov(gs, word(input('segments') + 12));
		mov(ds, word(input('segments')));
	};
	const startPaging = () => {
		mov(eax, cr0);
		or(eax, paging - 2 ** 32);
		mov(cr0, eax);
	};
	const zones = [
		['data', memory.data + zone.offset],
		['stack', memory.stack + zone.offset],
	] as const;
	jmp('start');
	asm.align(16);
	label('from real mode');
	mov(ax, Selector.flat);
	for (const register of [ds, es, ss, fs, gs]) mov(register, ax);
	mov(esp, memory.driverStack);
	// Interrupts of real mode leave NT as it is.
	push(2);
	asm.popf();
	asm.lidt(dword('gates'));
	mov(ebx, dword('result'));
	for (let at = 0; at < realFrameBytes; at += 4) {
		mov(eax, dword(memory.realResult + at));
		mov(dword(ebx, at), eax);
	}
	mov(eax, dword(memory.realResult + realFrameBytes));
	mov(dword(ebx, CaseResult.offset('handlerSs')), eax);
	jmp('keep zones');
	label('start');
	asm.lgdt(dword('descriptors'));
	asm.lidt(dword('gates'));
	asm.farJump(Selector.driverCode, 'flat');
	label('flat');
	mov(ax, Selector.flat);
	for (const register of [ds, es, ss, fs, gs]) mov(register, ax);
	mov(esp, memory.driverStack);
	mov(al, 0xff);
	for (const port of maskPorts) asm.out(port, al);
	mov(ax, Selector.task);
	asm.ltr(ax);
	mov(ax, Selector.localTable);
	// LLDT AX.
	bytes(0x0f, 0x00, 0xd0);
	mov(eax, memory.pageDirectory);
	mov(cr3, eax);
	label('next');
	mov(esi, dword('case'));
	cmp(esi, endOfCases);
	jae('end');
	add(dword('case'), CaseInput.size);
	asm.cld();
	mov(edi, memory.current);
	mov(ecx, CaseInput.size / 4);
	bytes(repeat, 0xa5);
	copy(input('code'), memory.code + codeOffset, codeBytes);
	for (const [name, place] of zones) copy(input(name), place, zone.bytes);
	xor(eax, eax);
	mov(cr2, eax);
	mov(eax, dword(input('entry')));
	cmp(eax, Entry.real);
	je('real');
	cmp(eax, Entry.inner);
	je('inner');
	mov(esp, memory.current);
	startPaging();
	loadSegments();
	bytes(popa);
	asm.iret();
	label('inner');
	mov(edi, dword(input('stackAt')));
	for (const [index, name] of (['eip', 'cs', 'eflags'] as const).entries()) {
		mov(eax, dword(input(name)));
		mov(dword(edi, index * 4), eax);
	}
	mov(esp, memory.current);
	startPaging();
	loadSegments();
	bytes(popa, inCs, ...lssEsp, 0x25);
	asm.dwords(input('stackBefore'));
	asm.iret();
	label('real');
	mov(edi, dword(input('stackAt')));
	for (const [index, name] of (['eip', 'cs', 'eflags'] as const).entries()) {
		mov(eax, dword(input(name)));
		mov(word(edi, index * 2), ax);
	}
	mov(ax, Selector.realData);
	for (const register of [ds, es, ss, fs, gs]) mov(register, ax);
	asm.farJump(Selector.driverCode16, {label: 'next', minus: 'next', add: memory.realCode});
	for (let vector = 0; vector < gateCount; vector++) {
		label(`vector ${vector}`);
		if (!withErrorCode.has(vector)) push(0);
		push(vector);
		jmp('handle');
	}
	label('handle');
	bytes(pusha);
	for (const one of pushSegments) bytes(...one);
	mov(ax, Selector.flat);
	mov(ds, ax);
	mov(es, ax);
	mov(eax, cr0);
	and(eax, 0x7ffe_ffff);
	mov(cr0, eax);
	mov(ebx, dword('result'));
	for (let at = 0; at < frameBytes; at += 4) {
		mov(eax, dword(esp, at));
		mov(dword(ebx, at), eax);
	}
	mov(eax, cr2);
	mov(dword(ebx, CaseResult.offset('cr2')), eax);
	mov(edx, ss);
	mov(dword(ebx, CaseResult.offset('handlerSs')), edx);
	mov(ax, Selector.flat);
	mov(ss, ax);
	mov(esp, memory.driverStack);
	label('keep zones');
	asm.cld();
	for (const [name, place] of zones) {
		mov(esi, place);
		asm.lea(edi, dword(ebx, CaseResult.offset(name)));
		mov(ecx, zone.bytes / 4);
		bytes(repeat, 0xa5);
	}
	add(dword('result'), CaseResult.size);
	jmp('next');
	label('end');
	mov(al, 0);
	asm.out(exitPort, al);
	asm.cli();
	asm.hlt();
	label('case');
	asm.dwords(memory.cases);
	label('result');
	asm.dwords(endOfCases);
	label('descriptors');
	asm.words(descriptorBytes - 1);
	asm.dwords(memory.descriptors);
	label('gates');
	asm.words(gateCount * 8 - 1);
	asm.dwords(memory.gates);
	const {bytes: driver, labels} = asm.finish();
	const real = realModeCode();
	const handlers = (from: Labels, number: number) =>
		Array.from({length: number}, (_, vector) => from.get(`vector ${vector}`) as number);
	return {
		bytes: driver,
		realBytes: real.bytes,
		handlers: handlers(labels, gateCount),
		realHandlers: handlers(real.labels, 256),
	};
}
