import {
	type Assembler,
	cx,
	dword,
	eax,
	ecx,
	edx,
	qword,
	r8,
	r9,
	r11d,
	r12,
	r13,
	r14,
	r15,
	rax,
	rbp,
	rbx,
	rdx,
	rsp,
	ss,
	word,
} from '#flowey/x86-assembler';
import {cpuPage, cpuPageSize, selector} from './layout.ts';

const [starMsr, lstarMsr, flagMaskMsr] = [0xc000_0081, 0xc000_0082, 0xc000_0084];
const flagsAlways = 0x02;
/** Cleared by SYSCALL: direction, interrupts, trap, nested task, alignment. */
const flagMask = 0x4_4700;

/**
 * The way into user mode and back. Two ways each, because emulating hosts may know only one: `enter=iret` (default)
 * or `enter=sysret`, and user code leaves through SYSCALL (default) or, with `leave=int`, a software interrupt.
 */
export function emitUserMode(asm: Assembler): void {
	emitPrepare(asm);
	emitRun(asm);
	emitLeave(asm);
}

/** Task register and SYSCALL registers of the current CPU; ECX its number, R15 its page. */
function emitPrepare(asm: Assembler): void {
	const {label, mov, add, shl, ltr, wrmsr, ret, xor} = asm;
	label('prepare-user-mode');
	mov(word(r15, cpuPage.tss + 102), 104); // no I/O permission map
	shl(ecx, 4);
	add(ecx, selector.firstTask);
	ltr(cx);
	mov(ecx, starMsr);
	xor(eax, eax);
	mov(edx, (selector.userCode32 << 16) | selector.kernelCode);
	wrmsr();
	mov(ecx, lstarMsr);
	mov(eax, 'leave-user-mode');
	xor(edx, edx);
	wrmsr();
	mov(ecx, flagMaskMsr);
	mov(eax, flagMask);
	wrmsr();
	ret();
}

/** Runs `user-main` in user mode on the CPU whose page is R15; returns when it leaves, RAX and RDX its results. */
function emitRun(asm: Assembler): void {
	const {label, mov, lea, push, cmp, jne, iretq, sysretq} = asm;
	label('run-user-mode');
	push(rbx);
	push(rbp);
	push(r12);
	push(r13);
	push(r14);
	mov(qword(r15, cpuPage.kernelStack), rsp);
	mov(qword(r15, cpuPage.tss + 4), rsp); // RSP0: interrupts push below what is saved here
	lea(rax, qword(r15, cpuPage.userStackTop));
	mov(ecx, dword('option-enter'));
	cmp(ecx, 0);
	jne('enter-by-sysret');
	push(selector.userData);
	push(rax);
	push(flagsAlways);
	push(selector.userCode);
	push('user-main');
	iretq();
	label('enter-by-sysret');
	mov(rsp, rax);
	mov(ecx, 'user-main');
	mov(r11d, flagsAlways);
	sysretq();
}

/** Both ways back arrive with RSP somewhere in the CPU's page: the user stack, or the interrupt's frame. */
function emitLeave(asm: Assembler): void {
	const {label, mov, pop, ret} = asm;
	label('leave-user-mode');
	mov(r15, rsp);
	asm.and(r15, -cpuPageSize);
	mov(rsp, qword(r15, cpuPage.kernelStack));
	mov(eax, selector.kernelData);
	mov(ss, eax);
	mov(rax, r8);
	mov(rdx, r9);
	pop(r14);
	pop(r13);
	pop(r12);
	pop(rbp);
	pop(rbx);
	ret();
}
