import {type Assembler, cr2, dword, eax, qword, rax, rbp, rsp} from '#flowey/x86-assembler';
import {leaveVector} from './descriptor-tables.ts';
import type {Texts} from './text.ts';

/** Exceptions that push an error code; SDM volume 3, table 6-1. */
const withErrorCode = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);

const exceptionCount = 32;
/** Stands for the vector of every interrupt in what is printed. */
const anyInterrupt = 255;

/** The label of the handler of a vector. */
export function handlerLabel(vector: number): string {
	if (vector === leaveVector) return 'leave-user-mode';
	return `vector-${vector < exceptionCount ? vector : anyInterrupt}`;
}

/** The guest expects no exception and no interrupt: any of them is printed, and ends the machine. */
export function emitExceptions(asm: Assembler, texts: Texts): void {
	const {label, push, jmp, mov, xchg, test, jnz, call, bytes} = asm;
	for (const vector of [...Array(exceptionCount).keys(), anyInterrupt]) {
		label(handlerLabel(vector));
		if (!withErrorCode.has(vector)) push(0);
		push(vector);
		jmp('unexpected');
	}
	label('unexpected');
	mov(eax, 1);
	xchg(dword('has-failed'), eax);
	test(eax, eax);
	jnz('stop-quietly'); // one report is enough, and one inside the report is too many
	mov(rbp, rsp);
	mov(dword('line-length'), 0);
	texts.sayLine('');
	texts.say('guest exception ');
	mov(rax, qword(rbp));
	call('append-decimal');
	texts.say(' at 0x');
	mov(rax, qword(rbp, 16));
	call('append-hexadecimal');
	texts.say(', error 0x');
	mov(rax, qword(rbp, 8));
	call('append-hexadecimal');
	texts.say(', CR2 0x');
	mov(rax, cr2);
	call('append-hexadecimal');
	texts.say(', CS 0x');
	mov(rax, qword(rbp, 24));
	call('append-hexadecimal');
	texts.say(', RSP 0x');
	mov(rax, qword(rbp, 40));
	call('append-hexadecimal');
	call('end-line');
	jmp('power-off');
	asm.align(4, 0);
	label('has-failed');
	bytes(0, 0, 0, 0);
}
