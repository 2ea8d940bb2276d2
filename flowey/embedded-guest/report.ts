import {
	type Assembler,
	al,
	dword,
	eax,
	ebp,
	ebx,
	ecx,
	edx,
	qword,
	r12,
	r12d,
	rax,
	rbp,
	rbx,
	rcx,
	rdx,
	rsi,
	times,
} from '#flowey/x86-assembler';
import {startInfo} from './boot.ts';
import {apicIds, cpuPage, cpuPageSize, cpuPages} from './layout.ts';
import type {Texts} from './text.ts';
import {itemsPerChunk} from './work.ts';

const barWidth = 24;
const usableMemory = 1;
const memoryMapEntrySize = 24;

/** Emits the guest's words about the machine and its work. */
export function emitReport(asm: Assembler, texts: Texts): void {
	emitMemory(asm, texts);
	emitCpusUp(asm, texts);
	emitCpus(asm, texts);
	emitSum(asm, texts);
}

function emitMemory(asm: Assembler, texts: Texts): void {
	const {label, mov, add, cmp, jne, jb, test, jz, dec, shr, call, jmp, inc, xor, push, pop} = asm;
	label('report-memory'); // RBX start information
	push(rbx);
	push(r12);
	mov(rsi, qword(rbx, startInfo.memoryMap));
	mov(ecx, dword(rbx, startInfo.memoryMapEntries));
	xor(ebx, ebx); // bytes
	xor(r12d, r12d); // ranges
	label('memory-range');
	test(ecx, ecx);
	jz('memory-done');
	dec(ecx);
	cmp(dword(rsi, 16), usableMemory);
	jne('memory-next');
	add(rbx, qword(rsi, 8));
	inc(r12d);
	mov(rax, qword(rsi));
	add(rax, qword(rsi, 8));
	mov(rdx, 0x1_0000_0000n);
	cmp(rax, rdx);
	asm.ja('memory-next');
	cmp(rax, qword('low-memory-end'));
	jb('memory-next');
	mov(qword('low-memory-end'), rax);
	label('memory-next');
	add(rsi, memoryMapEntrySize);
	jmp('memory-range');
	label('memory-done');
	texts.say('Memory: ');
	mov(rax, rbx);
	shr(rax, 20);
	call('append-decimal');
	texts.say(' MiB usable in ');
	mov(eax, r12d);
	call('append-decimal');
	texts.say(' ranges');
	pop(r12);
	pop(rbx);
	jmp('end-line');
}

function emitCpusUp(asm: Assembler, texts: Texts): void {
	const {label, mov, cmp, je, jmp, call} = asm;
	label('report-cpus-up');
	texts.say('CPUs: ');
	mov(eax, dword('cpu-count'));
	call('append-decimal');
	texts.say(' found, ');
	mov(eax, dword('cpus-up'));
	call('append-decimal');
	texts.say(' running, local APIC in ');
	cmp(dword('x2apic'), 0);
	je('report-xapic');
	texts.say('x2');
	jmp('report-apic');
	label('report-xapic');
	texts.say('x');
	label('report-apic');
	texts.say('APIC mode');
	cmp(qword('tsc-khz'), 0);
	je('report-cpus-up-end');
	texts.say(', TSC ');
	mov(rax, qword('tsc-khz'));
	asm.xor(edx, edx);
	mov(ecx, 1000);
	asm.div(rcx);
	call('append-decimal');
	texts.say(' MHz');
	label('report-cpus-up-end');
	jmp('end-line');
}

/** A line per CPU, with a bar for its share relative to the busiest CPU. */
function emitCpus(asm: Assembler, texts: Texts): void {
	const {label, mov, cmp, je, jb, jbe, jmp, call, push, pop, ret, inc, add, mul, div, xor, shl, sub} = asm;
	label('report-cpus');
	push(rbx);
	push(rbp);
	push(r12);
	mov(r12d, 1); // the busiest CPU's chunks
	mov(ebp, cpuPages);
	xor(ebx, ebx);
	label('find-busiest');
	mov(rax, qword(rbp, cpuPage.chunks));
	cmp(rax, r12);
	jbe('not-busier');
	mov(r12, rax);
	label('not-busier');
	add(ebp, cpuPageSize);
	inc(ebx);
	cmp(ebx, dword('cpu-count'));
	jb('find-busiest');

	mov(ebp, cpuPages);
	xor(ebx, ebx);
	label('report-cpu');
	texts.say('CPU ');
	mov(eax, ebx);
	call('append-decimal');
	texts.say(': APIC id ');
	mov(eax, ebx);
	mov(eax, dword(times(rax, 4), apicIds));
	call('append-decimal');
	cmp(dword(rbp, cpuPage.isUp), 0);
	je('cpu-absent');
	texts.say(', user mode, ');
	mov(rax, qword(rbp, cpuPage.chunks));
	call('append-decimal');
	texts.say(' chunks, ');
	mov(rax, qword(rbp, cpuPage.chunks));
	shl(rax, Math.log2(itemsPerChunk));
	call('append-decimal');
	texts.say(' items |');
	mov(rax, qword(rbp, cpuPage.chunks));
	mov(ecx, barWidth);
	mul(rcx);
	div(r12);
	push(rax);
	mov(ecx, eax);
	mov(al, 0x23); // '#'
	call('append-repeated');
	pop(rax);
	mov(ecx, barWidth);
	sub(ecx, eax);
	mov(al, 0x2e); // '.'
	call('append-repeated');
	texts.say('|');
	jmp('cpu-reported');
	label('cpu-absent');
	texts.say(' did not start');
	label('cpu-reported');
	call('end-line');
	add(ebp, cpuPageSize);
	inc(ebx);
	cmp(ebx, dword('cpu-count'));
	jb('report-cpu');
	pop(r12);
	pop(rbp);
	pop(rbx);
	ret();
}

function emitSum(asm: Assembler, texts: Texts): void {
	const {label, mov, cmp, je, jne, jmp, call, push, pop, shl, mul, div, test, jz} = asm;
	label('report-sum');
	push(rbx);
	push(r12);
	texts.say('Sum ');
	mov(rax, qword('total-sum'));
	call('append-hexadecimal');
	texts.say(' over ');
	mov(rbx, qword('chunk-limit'));
	shl(rbx, Math.log2(itemsPerChunk));
	mov(rax, rbx);
	call('append-decimal');
	texts.say(' items in ');
	mov(rax, qword('work-started'));
	cmp(qword('tsc-khz'), 0);
	je('report-cycles');
	call('microseconds');
	push(rax);
	call('append-tenths');
	texts.say(' ms');
	pop(r12); // microseconds
	test(r12, r12);
	jz('report-verdict');
	texts.say(' (');
	mov(rax, rbx); // items per microsecond are millions per second
	mov(ecx, 1000);
	mul(rcx);
	div(r12);
	call('append-tenths');
	texts.say(' M items/s)');
	jmp('report-verdict');
	label('report-cycles');
	call('append-decimal');
	texts.say(' TSC cycles');
	label('report-verdict');
	texts.say(': ');
	call('expected-sum');
	pop(r12);
	pop(rbx);
	cmp(rax, qword('total-sum'));
	jne('report-failed');
	texts.say('OK');
	jmp('end-line');
	label('report-failed');
	push(rax);
	texts.say('FAILED, expected ');
	pop(rax);
	call('append-hexadecimal');
	jmp('end-line');
}

export function emitReportData({label, align, qwords}: Assembler): void {
	align(8, 0);
	label('low-memory-end');
	qwords(0);
}
