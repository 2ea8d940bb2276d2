import {al, ax, ds, dword, dx, eax, ebx, ecx, edx, qword, r8, rax, rbx, rcx, rdx, rsp, si} from '#flowey/x86-assembler';
import {exitCode, exitPort} from './layout.ts';
import {type MicroKernel, microKernel, realModeKernel} from './micro-kernel.ts';

/** Number and port of the port kernels' accesses. */
export interface PortLoop {
	readonly count: number;
	/** Below 256. */
	readonly port: number;
}

/** Reads a port `count` times at CPL 0. */
export function portInLoop({count, port}: PortLoop): MicroKernel {
	return microKernel('port-in-loop', (asm, {exit}) => {
		asm.mov(ecx, count);
		asm.label('again');
		asm.in(al, port);
		asm.dec(ecx);
		asm.jnz('again');
		exit(exitCode.ok);
	});
}

/** Reads a port `count` times at CPL 3, which its I/O privilege level allows. */
export function portInLoopUser({count, port}: PortLoop): MicroKernel {
	const emit: Parameters<typeof microKernel>[1] = (asm, {enterUserMode}) => {
		enterUserMode('user');
		asm.label('user');
		asm.mov(ecx, count);
		asm.label('again');
		asm.in(al, port);
		asm.dec(ecx);
		asm.jnz('again');
		exitFromUserMode(asm);
	};
	return microKernel('port-in-loop-user', emit, {user: 'user'});
}

/** Writes a port `count` times at CPL 0: the count down, so that the last value is 1. */
export function outLoop({count, port}: PortLoop): MicroKernel {
	return microKernel('out-loop', (asm, {exit}) => {
		asm.mov(ecx, count);
		asm.label('again');
		asm.mov(eax, ecx);
		asm.out(port, al);
		asm.dec(ecx);
		asm.jnz('again');
		exit(exitCode.ok);
	});
}

/** Halts with interrupts off, for good. Without an in-kernel interrupt controller, KVM hands the halt to the VMM. */
export function halt(): MicroKernel {
	return microKernel('hlt', (asm) => {
		asm.label('halt');
		asm.hlt();
		asm.jmp('halt');
	});
}

/** Raises the undefined-instruction exception `count` times; its handler steps over the instruction. */
export function undefinedInstruction({count}: {readonly count: number}): MicroKernel {
	return microKernel('ud2', (asm, {exit, handle}) => {
		const {label, mov, cmp, jne, jnz, dec, add, inc, iretq, ud2, xor} = asm;
		handle(6, 'skip');
		mov(ecx, count);
		xor(ebx, ebx);
		label('again');
		ud2();
		dec(ecx);
		jnz('again');
		cmp(ebx, count);
		jne('wrong');
		exit(exitCode.ok);
		label('wrong');
		exit(exitCode.wrong);
		label('skip');
		inc(ebx);
		add(qword(rsp), 2);
		iretq();
	});
}

/** Faults without a handler: a triple fault. */
export function tripleFault(): MicroKernel {
	return microKernel('triple-fault', (asm) => {
		asm.lidt(qword('no-idt'));
		asm.ud2();
		asm.label('no-idt');
		asm.words(0);
		asm.qwords(0);
	});
}

/**
 * The same amount of user-mode work on every vCPU that starts at the entry, for measuring how it scales:
 * `iterations` steps of 8 instructions on registers, then the exit port, written from CPL 3.
 */
export function userWork({iterations}: {readonly iterations: number}): MicroKernel {
	const emit: Parameters<typeof microKernel>[1] = (asm, {enterUserMode}) => {
		const {label, mov, add, xor, rol, imul, lea, dec, jnz} = asm;
		enterUserMode('user');
		label('user');
		mov(rcx, iterations);
		mov(eax, 0x1234_5678);
		xor(edx, edx);
		mov(ebx, 1);
		label('again');
		imul(eax, eax, 1_664_525);
		add(eax, 1_013_904_223);
		add(rdx, rax);
		rol(rdx, 7);
		xor(rbx, rdx);
		lea(r8, qword(rbx, 3));
		dec(rcx);
		jnz('again');
		exitFromUserMode(asm);
	};
	return microKernel('user-work', emit, {user: 'user'});
}

/** Prints a letter on COM1 from real mode. */
export function realModeHello(): MicroKernel {
	return realModeKernel('real-mode-hello', (asm) => {
		const {cli, mov, label, lodsb, test, jz, out, jmp, hlt, cld, xor} = asm;
		cli();
		cld();
		xor(ax, ax);
		mov(ds, ax);
		mov(si, 'text');
		mov(dx, 0x3f8);
		label('next');
		lodsb();
		test(al, al);
		jz('done');
		out(dx, al);
		jmp('next');
		label('done');
		mov(al, exitCode.ok);
		out(exitPort, al);
		label('halted');
		hlt();
		jmp('halted');
		label('text');
		asm.bytes('real mode\r\n', 0);
	});
}

/** Each round writes the constant of its next instruction, in its own block. */
export const rewriting = (rounds: number): MicroKernel =>
	microKernel('rewriting', ({label, mov, cmp, jne, add, dec, jnz}, {exit}) => {
		mov(ecx, rounds);
		mov(ebx, 0);
		label('again');
		// Four bytes behind the opcode's one of the next MOV.
		mov(rax, 'patched');
		mov(dword(rax, 1), ecx);
		label('patched');
		mov(eax, 0x1111_1111);
		add(ebx, eax);
		dec(ecx);
		jnz('again');
		cmp(ebx, (rounds * (rounds + 1)) / 2);
		jne('wrong');
		exit(exitCode.ok);
		label('wrong');
		exit(exitCode.wrong);
	});

function exitFromUserMode({
	mov,
	out,
	label,
	jmp,
	unique,
	pause,
}: Parameters<Parameters<typeof microKernel>[1]>[0]): void {
	mov(al, exitCode.ok);
	out(exitPort, al);
	const done = unique('done');
	label(done);
	pause();
	jmp(done);
}
