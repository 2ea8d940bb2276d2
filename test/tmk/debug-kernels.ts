import {al, dx, eax, ebx, ecx, qword, rbp, rsp} from '#flowey/x86-assembler';
import {exitCode} from './layout.ts';
import {type MicroKernel, microKernel} from './micro-kernel.ts';

/** Vectors of the exceptions that debuggers live on. */
const vector = {debug: 1, nmi: 2, breakpoint: 3} as const;
/** RFLAGS.TF */
const trapFlag = 0x100;

/**
 * Something to debug: `loop` calls `work` for ever, which adds 1 to the 64-bit `counter`, until `stop` is not 0; then it
 * ends well. Before that it raises a breakpoint exception of its own, with `ownSteps` a single-step exception as well,
 * and ends badly unless its handlers see exactly those.
 */
export function debugTarget({ownSteps}: {readonly ownSteps: boolean}): MicroKernel {
	return microKernel('debug-target', (asm, {exit, handle}) => {
		const {label, align, mov, cmp, jne, je, call, ret, inc, xor, nop, int3, popf, push} = asm;
		handle(vector.breakpoint, 'on-breakpoint');
		handle(vector.debug, 'on-step');
		xor(ebx, ebx);
		xor(ecx, ecx);
		int3();
		if (ownSteps) {
			push(0x2 | trapFlag);
			popf();
			nop(); // its step exception clears the flag
		}
		cmp(ebx, 1);
		jne('wrong');
		cmp(ecx, ownSteps ? 1 : 0);
		jne('wrong');
		label('loop');
		call('work');
		cmp(qword('stop'), 0);
		je('loop');
		exit(exitCode.ok);
		label('wrong');
		exit(exitCode.wrong);
		label('work');
		inc(qword('counter'));
		mov(eax, 0x1234);
		ret();
		label('on-breakpoint');
		inc(ebx);
		asm.iretq();
		label('on-step');
		inc(ecx);
		asm.and(qword(rsp, 16), ~trapFlag);
		asm.iretq();
		align(8, 0);
		label('counter');
		asm.qwords(0);
		label('stop');
		asm.qwords(0);
	});
}

/** Says `!` on COM1 and halts, interrupts off, until `count` non-maskable interrupts have come to its handler. */
export function awaitNmi({count}: {readonly count: number}): MicroKernel {
	return microKernel('await-nmi', (asm, {exit, handle}) => {
		const {label, cmp, je, jmp, hlt, inc, xor, iretq, mov, out} = asm;
		handle(vector.nmi, 'on-nmi');
		xor(ebx, ebx);
		mov(dx, 0x3f8);
		mov(al, 0x21); // '!'
		out(dx, al);
		label('wait');
		hlt();
		cmp(ebx, count);
		je('done');
		jmp('wait');
		label('done');
		exit(exitCode.ok);
		label('on-nmi');
		inc(ebx);
		iretq();
	});
}

/** Rounds of the inner loops of {@link profileTarget}, which take equal time each. */
export const profileRounds = {heavy: 30_000, light: 10_000} as const;

/**
 * Something to profile: `main` calls `outer`, which calls `heavy`, and then `light`, for ever, until `stop` is not 0; all with frame
 * pointers. `heavy` and `light` go round as often as {@link profileRounds} says.
 */
export const profileTarget: MicroKernel = microKernel('profile-target', (asm, {exit}) => {
	const {label, align, mov, cmp, je, jne, call, ret, dec, push, pop, jmp} = asm;
	const enter = (name: string) => {
		label(name);
		push(rbp);
		mov(rbp, rsp);
	};
	const leave = () => {
		pop(rbp);
		ret();
	};
	const spin = (name: keyof typeof profileRounds) => {
		enter(name);
		mov(ecx, profileRounds[name]);
		label(`${name}-round`);
		dec(ecx);
		jne(`${name}-round`);
		leave();
	};
	mov(rbp, 0);
	jmp('main');
	enter('main');
	label('again');
	call('outer');
	call('light');
	cmp(qword('stop'), 0);
	je('again');
	exit(exitCode.ok);
	enter('outer');
	call('heavy');
	leave();
	spin('heavy');
	spin('light');
	align(8, 0);
	label('stop');
	asm.qwords(0);
});
