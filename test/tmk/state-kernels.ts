import {
	al,
	cr0,
	cr4,
	dx,
	eax,
	ecx,
	edi,
	edx,
	esi,
	qword,
	r8,
	r9,
	r10,
	r11,
	r12,
	r13,
	r14,
	rax,
	rdi,
	rdx,
} from '#flowey/x86-assembler';
import {type MicroKernel, microKernel} from './micro-kernel.ts';

const com1 = 0x3f8;
/** The ACPI timer has 24 bits and this rate (ACPI, 4.8.3.3). */
const timerHz = 3_579_545;
const timerMask = 0xff_ffff;

/** Exit codes of {@link stateKeeper}: what was not as it had been left. */
export const keeperCode = {counter: 0x11, floats: 0x12, general: 0x13, debug: 0x14, msr: 0x20} as const;

/** Model-specific registers that a guest of 64 bits has written, and values that they can have (Intel SDM vol. 4, table 2-2). */
const msrs: readonly (readonly [index: number, high: number, low: number])[] = [
	[0x174, 0, 0x10], // SYSENTER_CS
	[0x176, 0, 0x1234_5000], // SYSENTER_EIP, of which KVM sets 32 bits on AMD's processors
	[0x277, 0x0007_0106, 0x0007_0106], // PAT
	[0x200, 0, 0x8000_0000], // MTRR_PHYSBASE0
	[0x201, 0xff, 0x8000_0800], // MTRR_PHYSMASK0
	[0xc000_0081, 0x0023_0010, 0], // STAR
	[0xc000_0082, 0xffff_ffff, 0x8100_0040], // LSTAR
	[0xc000_0084, 0, 0x4_7700], // FMASK
	[0xc000_0102, 0x7fff, 0x89ab_c000], // KERNEL_GS_BASE
	[0xc000_0101, 0x7ffe, 0x1000], // GS_BASE
];
const general = [r8, r9, r10, r11, r12, r13, r14] as const;

/**
 * Fills the x87, the XMM registers, R8 to R14, debug and model-specific registers, then says `tick` on COM1 every tenth of a second
 * of the ACPI timer and looks whether all of them are what they were, and whether the time-stamp counter goes on.
 * @param count - ticks before it exits
 */
export function stateKeeper({pmTimer, count}: {readonly pmTimer: number; readonly count: number}): MicroKernel {
	return microKernel('state-keeper', (asm, {exit}) => {
		const {mov, lea, label, cmp, or, and, je, jae, jb, jmp, out, rdmsr, wrmsr, rdtsc, shl, dec, sub, unique} = asm;
		const code = (...bytes: readonly number[]) => asm.bytes(Uint8Array.from(bytes));
		const otherwise = (isSame: (target: string) => void, exitCode: number) => {
			const same = unique('same');
			isSame(same);
			exit(exitCode);
			label(same);
		};
		mov(rax, cr0);
		and(rax, ~4);
		or(rax, 2);
		mov(cr0, rax);
		mov(rax, cr4);
		or(rax, 0x600); // OSFXSR, OSXMMEXCPT
		mov(cr4, rax);
		lea(rdi, qword('values'));
		code(0xdb, 0xe3); // fninit
		code(0xd9, 0x2f); // fldcw [rdi]: 53 bits, rounding down
		code(0xd9, 0xeb, 0xd9, 0xea, 0xd9, 0xe8, 0xd8, 0xf1); // fldpi, fldl2e, fld1, fdiv st, st1: not exact
		code(0x0f, 0xae, 0x57, 4); // ldmxcsr [rdi + 4]: rounding up, flags set
		for (let n = 0; n < 16; n++) code(...(n < 8 ? [] : [0x44]), 0x0f, 0x10, 0x47 | ((n & 7) << 3), 8 + 4 * n); // movups
		for (const [n, register] of general.entries()) mov(register, 0x0123_4567_0000 + n);
		for (const [index, high, low] of msrs) {
			mov(ecx, index);
			mov(edx, high);
			mov(eax, low);
			wrmsr();
		}
		mov(rax, 0x1234_5678);
		code(0x0f, 0x23, 0xc0); // mov dr0, rax
		mov(rax, 0x402);
		code(0x0f, 0x23, 0xf8); // mov dr7, rax
		lea(rdi, qword('first'));
		code(0x48, 0x0f, 0xae, 0x07); // fxsave64 [rdi]
		label('again');
		lea(rdi, qword('now'));
		code(0x48, 0x0f, 0xae, 0x07);
		for (const [from, bytes] of [
			[0, 6],
			[24, 4],
			[32, 384],
		] as const) {
			// Between them lie MXCSR_MASK, which is the processor's, and FOP, FIP and FDP, which AMD's keep with an exception only.
			lea(rdi, qword('first', from));
			mov(esi, edi);
			lea(rdi, qword('now', from));
			mov(ecx, bytes);
			code(0xf3, 0xa6); // repe cmpsb
			otherwise((same) => je(same), keeperCode.floats);
		}
		for (const [n, register] of general.entries()) {
			mov(rax, 0x0123_4567_0000 + n);
			cmp(rax, register);
			otherwise((same) => je(same), keeperCode.general);
		}
		for (const [number, [index, high, low]] of msrs.entries()) {
			mov(ecx, index);
			rdmsr();
			cmp(eax, low);
			otherwise((same) => je(same), keeperCode.msr + number);
			cmp(edx, high);
			otherwise((same) => je(same), keeperCode.msr + number);
		}
		code(0x0f, 0x21, 0xc0); // mov rax, dr0
		cmp(rax, 0x1234_5678);
		otherwise((same) => je(same), keeperCode.debug);
		code(0x0f, 0x21, 0xf8); // mov rax, dr7
		cmp(rax, 0x402);
		otherwise((same) => je(same), keeperCode.debug);
		rdtsc();
		shl(rdx, 32);
		or(rax, rdx);
		cmp(rax, qword('counter'));
		otherwise((same) => jae(same), keeperCode.counter);
		mov(qword('counter'), rax);
		mov(dx, com1);
		for (const letter of 'tick\n') {
			mov(al, letter.charCodeAt(0));
			out(dx, al);
		}
		dec(qword('left'));
		je('done');
		mov(dx, pmTimer);
		asm.in(eax, dx);
		mov(ecx, eax);
		label('wait');
		asm.in(eax, dx);
		sub(eax, ecx);
		and(eax, timerMask);
		cmp(eax, Math.floor(timerHz / 10));
		jb('wait');
		jmp('again');
		label('done');
		exit(0);
		asm.align(16, 0);
		label('first');
		asm.zeros(512);
		label('now');
		asm.zeros(512);
		label('counter');
		asm.qwords(0);
		label('left');
		asm.qwords(count);
		label('values');
		asm.words(0x067f, 0, 0x5fa1, 0);
		for (let n = 0; n < 20; n++) asm.words(0x4000 + 0x111 * n, 0x3f12 + n);
	});
}
