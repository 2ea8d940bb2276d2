import type {Assembler} from './assembler.ts';
import type {CodeBits} from './encoder.ts';
import * as op from './operands.ts';

/** One line of Intel syntax as GNU `as` reads it, and the call that must give the same bytes. */
export interface InstructionForm {
	readonly bits: CodeBits;
	readonly text: string;
	readonly build: (asm: Assembler) => void;
}

const {al, bl, cl, sil, r9b, bh, ax, bx, cx, dx, si, bp} = op;
const {eax, ebx, ecx, edx, esi, edi, esp, ebp, r8d, r12d} = op;
const {rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r12, r13, r15} = op;
const {byte, word, dword, qword, times} = op;

const forms: InstructionForm[] = [];
const add = (bits: CodeBits, text: string, build: (asm: Assembler) => void): void => {
	forms.push({bits, text, build});
};

/** Every instruction form of the assembler; the unit test walks this list. */
export function instructionForms(): readonly InstructionForm[] {
	return forms;
}

const arithmetic = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'] as const;
for (const name of arithmetic) {
	add(64, `${name} rbx, r12`, (asm) => asm[name](rbx, r12));
	add(64, `${name} bl, sil`, (asm) => asm[name](bl, sil));
	add(64, `${name} bh, cl`, (asm) => asm[name](bh, cl));
	add(64, `${name} edi, dword ptr [r8+8]`, (asm) => asm[name](edi, dword(r8, 8)));
	add(64, `${name} qword ptr [rsp], rax`, (asm) => asm[name](qword(rsp), rax));
	add(64, `${name} ecx, -5`, (asm) => asm[name](ecx, -5));
	add(64, `${name} ecx, 0x12345`, (asm) => asm[name](ecx, 0x12345));
	add(64, `${name} eax, 0x12345`, (asm) => asm[name](eax, 0x12345));
	add(64, `${name} al, 7`, (asm) => asm[name](al, 7));
	add(64, `${name} word ptr [rbx], 0x1234`, (asm) => asm[name](word(rbx), 0x1234));
	add(64, `${name} byte ptr [rbx], 0x80`, (asm) => asm[name](byte(rbx), 0x80));
	add(64, `${name} r15, 0x7fffffff`, (asm) => asm[name](r15, 0x7fffffff));
	add(32, `${name} ebx, ecx`, (asm) => asm[name](ebx, ecx));
	add(16, `${name} bx, cx`, (asm) => asm[name](bx, cx));
	add(16, `${name} ebx, 0x12345`, (asm) => asm[name](ebx, 0x12345));
}
for (const name of ['not', 'neg', 'mul', 'div', 'idiv', 'inc', 'dec'] as const) {
	add(64, `${name} r9`, (asm) => asm[name](r9));
	add(64, `${name} bl`, (asm) => asm[name](bl));
	add(64, `${name} dword ptr [rbp]`, (asm) => asm[name](dword(rbp)));
	add(32, `${name} ebx`, (asm) => asm[name](ebx));
	add(16, `${name} bx`, (asm) => asm[name](bx));
	add(16, `${name} ebx`, (asm) => asm[name](ebx));
}
for (const name of ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar'] as const) {
	add(64, `${name} rax, 1`, (asm) => asm[name](rax, 1));
	add(64, `${name} r8d, 16`, (asm) => asm[name](r8d, 16));
	add(64, `${name} qword ptr [r13], cl`, (asm) => asm[name](qword(r13), cl));
	add(64, `${name} cl, 3`, (asm) => asm[name](cl, 3));
}
for (const name of ['bt', 'bts', 'btr', 'btc'] as const) {
	add(64, `${name} rax, 40`, (asm) => asm[name](rax, 40));
	add(64, `${name} dword ptr [rbx], ecx`, (asm) => asm[name](dword(rbx), ecx));
}
for (const name of ['movzx', 'movsx'] as const) {
	add(64, `${name} eax, byte ptr [rsi]`, (asm) => asm[name](eax, byte(rsi)));
	add(64, `${name} rax, word ptr [rsi]`, (asm) => asm[name](rax, word(rsi)));
	add(64, `${name} r8d, r9b`, (asm) => asm[name](r8d, r9b));
	add(64, `${name} ecx, sil`, (asm) => asm[name](ecx, sil));
}
for (const name of ['xadd', 'cmpxchg'] as const) {
	add(64, `lock ${name} qword ptr [rbx], rax`, (asm) => {
		asm.prefix('lock');
		asm[name](qword(rbx), rax);
	});
	add(64, `lock ${name} dword ptr [rbx+0x100], r12d`, (asm) => {
		asm.prefix('lock');
		asm[name](dword(rbx, 0x100), r12d);
	});
	add(64, `lock ${name} byte ptr [rbx], cl`, (asm) => {
		asm.prefix('lock');
		asm[name](byte(rbx), cl);
	});
	add(32, `lock ${name} dword ptr [0x1234], ecx`, (asm) => {
		asm.prefix('lock');
		asm[name](dword(0x1234), ecx);
	});
}
add(64, 'lock inc dword ptr [rbx]', (asm) => {
	asm.prefix('lock');
	asm.inc(dword(rbx));
});
add(64, 'lock add word ptr [rbx], cx', (asm) => {
	asm.prefix('lock');
	asm.add(word(rbx), cx);
});

add(64, 'mov ebx, ecx', (asm) => asm.mov(ebx, ecx));
add(64, 'mov rbx, r9', (asm) => asm.mov(rbx, r9));
add(64, 'mov si, ax', (asm) => asm.mov(si, ax));
add(64, 'mov sil, al', (asm) => asm.mov(sil, al));
add(64, 'mov eax, 0x12345678', (asm) => asm.mov(eax, 0x12345678));
add(64, 'mov r8d, 1', (asm) => asm.mov(r8d, 1));
add(64, 'mov rax, 5', (asm) => asm.mov(rax, 5));
add(64, 'mov r9, -1', (asm) => asm.mov(r9, -1));
add(64, 'mov r9, 0x123456789abcdef0', (asm) => asm.mov(r9, 0x123456789abcdef0n));
add(64, 'mov rcx, 0x80000000', (asm) => asm.mov(rcx, 0x80000000));
add(64, 'mov cl, 0xff', (asm) => asm.mov(cl, 0xff));
add(64, 'mov bh, 1', (asm) => asm.mov(bh, 1));
add(64, 'mov cx, 0x1234', (asm) => asm.mov(cx, 0x1234));
add(64, 'mov byte ptr [rdi], 1', (asm) => asm.mov(byte(rdi), 1));
add(64, 'mov word ptr [rdi], 1', (asm) => asm.mov(word(rdi), 1));
add(64, 'mov dword ptr [rdi+4], 0x12345', (asm) => asm.mov(dword(rdi, 4), 0x12345));
add(64, 'mov qword ptr [r12], -2', (asm) => asm.mov(qword(r12), -2));
add(32, 'mov dword ptr [0x1000], 3', (asm) => asm.mov(dword(0x1000), 3));
add(16, 'mov word ptr [0x1000], 3', (asm) => asm.mov(word(0x1000), 3));
add(16, 'mov bx, word ptr [si]', (asm) => asm.mov(bx, word(si)));
add(16, 'mov bx, word ptr [bp]', (asm) => asm.mov(bx, word(bp)));
add(16, 'mov bx, word ptr [bx+0x10]', (asm) => asm.mov(bx, word(bx, 0x10)));
add(16, 'mov ecx, dword ptr [bx+0x100]', (asm) => asm.mov(ecx, dword(bx, 0x100)));
add(16, 'mov ecx, dword ptr [ebx]', (asm) => asm.mov(ecx, dword(ebx)));
add(64, 'mov ebx, dword ptr [rax]', (asm) => asm.mov(ebx, dword(rax)));
add(64, 'mov ebx, dword ptr [rbp]', (asm) => asm.mov(ebx, dword(rbp)));
add(64, 'mov ebx, dword ptr [r13]', (asm) => asm.mov(ebx, dword(r13)));
add(64, 'mov ebx, dword ptr [rsp+4]', (asm) => asm.mov(ebx, dword(rsp, 4)));
add(64, 'mov ebx, dword ptr [r12+0x200]', (asm) => asm.mov(ebx, dword(r12, 0x200)));
add(64, 'mov ebx, dword ptr [rax+rcx*4]', (asm) => asm.mov(ebx, dword(rax, times(rcx, 4))));
add(64, 'mov ebx, dword ptr [r13+r9*8+3]', (asm) => asm.mov(ebx, dword(r13, times(r9, 8), 3)));
add(64, 'mov ebx, dword ptr [rcx*8+0x40]', (asm) => asm.mov(ebx, dword(times(rcx, 8), 0x40)));
add(64, 'mov ebx, dword ptr [0x1234]', (asm) => asm.mov(ebx, dword(0x1234)));
add(32, 'mov ebx, dword ptr [esp+8]', (asm) => asm.mov(ebx, dword(esp, 8)));
add(32, 'mov ebx, dword ptr [esi+ecx*2]', (asm) => asm.mov(ebx, dword(esi, times(ecx, 2))));
add(32, 'mov ebx, dword ptr [0x1234]', (asm) => asm.mov(ebx, dword(0x1234)));
add(64, 'mov cr3, rax', (asm) => asm.mov(op.cr3, rax));
add(64, 'mov rax, cr2', (asm) => asm.mov(rax, op.cr2));
add(32, 'mov cr0, eax', (asm) => asm.mov(op.cr0, eax));
add(32, 'mov ebx, cr4', (asm) => asm.mov(ebx, op.cr4));
add(16, 'mov cr0, ecx', (asm) => asm.mov(op.cr0, ecx));
add(64, 'mov cr8, r9', (asm) => asm.mov(op.cr8, r9));
add(64, 'mov ds, eax', (asm) => asm.mov(op.ds, eax));
add(64, 'mov ss, ecx', (asm) => asm.mov(op.ss, ecx));
add(16, 'mov es, ax', (asm) => asm.mov(op.es, ax));
add(32, 'mov fs, eax', (asm) => asm.mov(op.fs, eax));
add(64, 'mov gs, edx', (asm) => asm.mov(op.gs, edx));
add(16, 'mov ax, cs', (asm) => asm.mov(ax, op.cs));
add(64, 'mov eax, cs', (asm) => asm.mov(eax, op.cs));
add(64, 'lea rax, [rbx+rcx*2+8]', (asm) => asm.lea(rax, qword(rbx, times(rcx, 2), 8)));
add(64, 'lea eax, [rbx-1]', (asm) => asm.lea(eax, dword(rbx, -1)));
add(64, 'movsxd rax, dword ptr [rbx]', (asm) => asm.movsxd(rax, dword(rbx)));
add(64, 'imul eax, ecx', (asm) => asm.imul(eax, ecx));
add(64, 'imul r9, qword ptr [rbx]', (asm) => asm.imul(r9, qword(rbx)));
add(64, 'imul eax, ecx, 10', (asm) => asm.imul(eax, ecx, 10));
add(64, 'imul eax, eax, 0x85ebca6b', (asm) => asm.imul(eax, eax, 0x85ebca6b));
add(64, 'test eax, eax', (asm) => asm.test(eax, eax));
add(64, 'test al, 0x20', (asm) => asm.test(al, 0x20));
add(64, 'test eax, 0x20', (asm) => asm.test(eax, 0x20));
add(64, 'test cl, 0x20', (asm) => asm.test(cl, 0x20));
add(64, 'test dword ptr [rbx], 0x100', (asm) => asm.test(dword(rbx), 0x100));
add(64, 'xchg dword ptr [rbx], ecx', (asm) => asm.xchg(dword(rbx), ecx));
add(64, 'xchg ebx, ecx', (asm) => asm.xchg(ebx, ecx));
add(64, 'xchg rax, rbx', (asm) => asm.xchg(rax, rbx));
add(64, 'xchg cl, bl', (asm) => asm.xchg(cl, bl));
add(64, 'push rax', (asm) => asm.push(rax));
add(64, 'push r9', (asm) => asm.push(r9));
add(64, 'push 5', (asm) => asm.push(5));
add(64, 'push 0x1234', (asm) => asm.push(0x1234));
add(64, 'push qword ptr [rbx]', (asm) => asm.push(qword(rbx)));
add(64, 'pop r12', (asm) => asm.pop(r12));
add(64, 'pop qword ptr [rbx+8]', (asm) => asm.pop(qword(rbx, 8)));
add(32, 'push ebx', (asm) => asm.push(ebx));
add(32, 'push 0x1234', (asm) => asm.push(0x1234));
add(16, 'push bx', (asm) => asm.push(bx));
add(16, 'pop ebx', (asm) => asm.pop(ebx));

for (const name of 'nop pause hlt cli sti clc stc cld std leave cdq int3 iretd ud2 cpuid rdtsc rdmsr wrmsr'.split(
	' ',
)) {
	for (const bits of [16, 32, 64] as const) {
		// The 16-bit forms of these have other names.
		if (bits === 16 && ['cdq', 'leave', 'iretd'].includes(name)) continue;
		add(bits, name, (asm) => asm[(name === 'iretd' ? 'iret' : name) as 'nop']());
	}
}
const longOnly =
	'cqo pushf popf iretq retfq syscall sysretq swapgs rdtscp wbinvd clts lfence sfence mfence vmcall vmmcall';
for (const name of longOnly.split(' ')) {
	const text = name === 'retfq' ? 'rex.w retf' : name;
	add(64, text, (asm) => asm[name as 'nop']());
}
add(32, 'retf', (asm) => asm.retf());
for (const name of ['ins', 'outs', 'movs', 'cmps', 'stos', 'lods', 'scas'] as const) {
	for (const suffix of ['b', 'w', 'd'] as const) {
		const text = name === 'movs' && suffix === 'd' ? 'movsd' : `${name}${suffix}`;
		for (const bits of [16, 32, 64] as const) add(bits, text, (asm) => asm[`${name}${suffix}`]());
	}
}
for (const name of ['movs', 'cmps', 'stos', 'lods', 'scas'] as const) add(64, `${name}q`, (asm) => asm[`${name}q`]());
add(64, 'rep outsb', (asm) => {
	asm.prefix('rep');
	asm.outsb();
});
add(64, 'rep stosw', (asm) => {
	asm.prefix('rep');
	asm.stosw();
});
add(64, 'rep movsq', (asm) => {
	asm.prefix('rep');
	asm.movsq();
});
add(64, 'repne scasb', (asm) => {
	asm.prefix('repne');
	asm.scasb();
});

for (const name of 'o no b ae e ne be a s ns p np l ge le g'.split(' ') as 'e'[]) {
	add(64, `set${name} al`, (asm) => asm[`set${name}`](al));
	add(64, `set${name} byte ptr [r9]`, (asm) => asm[`set${name}`](byte(r9)));
	add(64, `cmov${name} eax, r8d`, (asm) => asm[`cmov${name}`](eax, r8d));
	add(64, `cmov${name} rax, qword ptr [rbx]`, (asm) => asm[`cmov${name}`](rax, qword(rbx)));
	for (const bits of [16, 32, 64] as const) {
		add(bits, `0: nop; j${name} 0b`, (asm) => {
			asm.label('back');
			asm.nop();
			asm[`j${name}`]('back');
		});
		add(bits, `j${name} 0f; .skip 128; 0:`, (asm) => {
			asm[`j${name}`]('ahead');
			asm.zeros(128);
			asm.label('ahead');
		});
	}
}
for (const bits of [16, 32, 64] as const) {
	add(bits, 'jmp 0f; nop; 0:', (asm) => {
		asm.jmp('ahead');
		asm.nop();
		asm.label('ahead');
	});
	add(bits, 'jmp 0f; .skip 128; 0:', (asm) => {
		asm.jmp('ahead');
		asm.zeros(128);
		asm.label('ahead');
	});
	add(bits, '0: nop; call 0b', (asm) => {
		asm.label('back');
		asm.nop();
		asm.call('back');
	});
	add(bits, '0: nop; loop 0b', (asm) => {
		asm.label('back');
		asm.nop();
		asm.loop('back');
	});
	add(bits, 'ret', (asm) => asm.ret());
	add(bits, 'int 0x80', (asm) => asm.int(0x80));
	add(bits, 'in al, 0x21', (asm) => asm.in(al, 0x21));
	add(bits, 'in ax, dx', (asm) => asm.in(ax, dx));
	add(bits, 'in eax, dx', (asm) => asm.in(eax, dx));
	add(bits, 'out 0x80, al', (asm) => asm.out(0x80, al));
	add(bits, 'out dx, al', (asm) => asm.out(dx, al));
	add(bits, 'out dx, ax', (asm) => asm.out(dx, ax));
	add(bits, 'out 0xf4, eax', (asm) => asm.out(0xf4, eax));
	add(bits, 'ltr ax', (asm) => asm.ltr(ax));
}
add(64, 'jmp rax', (asm) => asm.jmp(rax));
add(64, 'call r9', (asm) => asm.call(r9));
add(64, 'jmp qword ptr [rbx]', (asm) => asm.jmp(qword(rbx)));
add(64, 'call qword ptr [rbx+rcx*8]', (asm) => asm.call(qword(rbx, times(rcx, 8))));
add(32, 'jmp ebx', (asm) => asm.jmp(ebx));
add(64, 'lgdt [rbx]', (asm) => asm.lgdt(qword(rbx)));
add(64, 'lidt [r12+4]', (asm) => asm.lidt(qword(r12, 4)));
add(32, 'lgdt [0x1234]', (asm) => asm.lgdt(dword(0x1234)));
add(16, 'data32 lgdt [0x1234]', (asm) => asm.lgdt(dword(0x1234)));
add(16, 'data32 lidt [bx]', (asm) => asm.lidt(dword(bx)));
add(64, 'invlpg [rax]', (asm) => asm.invlpg(byte(rax)));
add(64, '0: .byte 1; lea rdi, [rip+0b]', (asm) => {
	asm.label('data');
	asm.bytes(1);
	asm.lea(rdi, qword('data'));
});
add(64, '0: .byte 1; cmp dword ptr [rip+0b+4], 0x12345', (asm) => {
	asm.label('data');
	asm.bytes(1);
	asm.cmp(dword('data', 4), 0x12345);
});
add(64, 'jmp far ptr [rbx]', (asm) => asm.farJumpThrough(dword(rbx)));
add(64, 'nop; .balign 16, 0x90; .byte 65, 66; .word 1; .long 2; .quad 3; .skip 3', (asm) => {
	asm.nop();
	asm.align(16);
	asm.bytes('AB');
	asm.words(1);
	asm.dwords(2);
	asm.qwords(3);
	asm.zeros(3);
});
add(32, '.word 9f-0f; .long 9f-0f; 0: .skip 3; 9:', (asm) => {
	asm.words(op.distance('start', 'end'));
	asm.dwords(op.distance('start', 'end'));
	asm.label('start');
	asm.zeros(3);
	asm.label('end');
});
add(64, 'mov rdx, rsi; mov edx, esi; xor ebp, ebp; mov rdi, rsp; mov edx, esp', (asm) => {
	asm.mov(rdx, rsi);
	asm.mov(edx, esi);
	asm.xor(ebp, ebp);
	asm.mov(rdi, rsp);
	asm.mov(edx, esp);
});
