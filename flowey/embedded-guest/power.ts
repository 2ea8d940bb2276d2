import {type Assembler, al, ax, byte, dword, dx, eax, edi, edx, qword, rax, rdx} from '#flowey/x86-assembler';
import {port} from './layout.ts';
import type {Texts} from './text.ts';

const sleepEnable = 0x2000;

/** Ends of the machine: power-off, reset, exit code, and stopping when none of these works. None returns. */
export function emitPower(asm: Assembler, texts: Texts): void {
	const {label, mov, test, jz, cmp, je, jne, call, shl, out, lidt, cli, hlt, jmp} = asm;
	label('power-off');
	call('drain');
	cmp(dword('pm1a-control'), 0);
	je('power-off-failed');
	call('read-sleep-type');
	shl(eax, 10);
	asm.or(eax, sleepEnable);
	mov(edx, dword('pm1a-control'));
	out(dx, ax);
	mov(edi, 100_000);
	call('wait-microseconds');
	label('power-off-failed');
	texts.sayLine('Power-off has no effect: resetting');
	label('reset');
	call('drain');
	mov(edx, dword('reset-register'));
	test(edx, edx);
	jz('reset-by-chipset');
	mov(al, byte('reset-value'));
	cmp(byte('reset-space'), 0);
	jne('reset-by-port');
	mov(byte(rdx), al);
	jmp('reset-wait');
	label('reset-by-port');
	out(dx, al);
	label('reset-wait');
	mov(edi, 100_000);
	call('wait-microseconds');
	label('reset-by-chipset');
	mov(dx, port.reset);
	mov(al, 0x02);
	out(dx, al);
	mov(al, 0x06);
	out(dx, al);
	mov(edi, 100_000);
	call('wait-microseconds');
	label('stop');
	texts.sayLine('Stopped');
	label('stop-quietly');
	cli();
	hlt();
	jmp('stop-quietly');

	label('exit-by-port');
	call('drain');
	mov(eax, dword('option-exit'));
	out(port.debugExit, al);
	jmp('power-off'); // no such port on this machine

	label('jump-into-nothing'); // a page fault without handlers: a triple fault
	lidt(qword('empty-idt-pointer'));
	mov(rax, 0x1_0000_0000n);
	asm.jmp(rax);
}
