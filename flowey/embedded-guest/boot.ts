import {
	type Assembler,
	ax,
	cr0,
	cr3,
	cr4,
	cs,
	distance,
	ds,
	dword,
	eax,
	ebp,
	ebx,
	ecx,
	es,
	esp,
	fs,
	gs,
	qword,
	rax,
	ss,
} from '#flowey/x86-assembler';
import {cpuPage, cpuPages, selector} from './layout.ts';

const efer = 0xc000_0080;
const [cr0Protected, cr0Monitor, cr0NumericError, cr0WriteProtect, cr0Paging] = [1, 2, 0x20, 0x1_0000, 0x8000_0000];
const cr4PhysicalAddressExtension = 0x20;
const [eferSyscall, eferLongMode] = [1, 0x100];

/** Fields of `hvm_start_info`; Xen's PVH boot protocol, also called x86/HVM direct boot. */
export const startInfo = {commandLine: 24, rsdp: 32, memoryMap: 40, memoryMapEntries: 48} as const;

/**
 * The first instructions: 32-bit protected mode without paging, EBX pointing at the start information.
 * Goes on at label `boot-cpu` in 64-bit mode, with the start information's address in EBX.
 */
export function emitEntry(asm: Assembler): void {
	const {label, bits, cli, cld, mov, lgdt, jmp} = asm;
	bits(32);
	label('entry');
	cli();
	cld();
	mov(esp, cpuPages + cpuPage.kernelStackTop);
	mov(ebp, 'boot-cpu');
	jmp('enter-long-mode');

	label('other-cpu-entry'); // the trampoline jumps here, with flat segments
	mov(ebp, 'other-cpu');
	label('enter-long-mode'); // goes on at EBP
	lgdt(dword('gdt-pointer'));
	mov(eax, cr4);
	asm.or(eax, cr4PhysicalAddressExtension);
	mov(cr4, eax);
	mov(eax, 'page-tables');
	mov(cr3, eax);
	mov(ecx, efer);
	asm.rdmsr();
	asm.or(eax, eferSyscall | eferLongMode);
	asm.wrmsr();
	mov(eax, cr0);
	asm.or(eax, cr0Protected | cr0Monitor | cr0NumericError | cr0WriteProtect | cr0Paging);
	mov(cr0, eax);
	asm.farJump(selector.kernelCode, 'long-mode');
	bits(64);
	label('long-mode');
	mov(ebx, ebx); // the upper halves are undefined after 32-bit code
	mov(esp, esp);
	mov(eax, selector.kernelData);
	for (const segment of [ss, ds, es]) mov(segment, eax);
	asm.xor(eax, eax);
	for (const segment of [fs, gs]) mov(segment, eax);
	asm.lidt(qword('idt-pointer'));
	asm.mov(eax, ebp);
	asm.jmp(rax);
}

/**
 * Emits the code that the other CPUs run first, copied below 1 MiB: real mode, CS set by the start-up IPI. It only reaches
 * 32-bit protected mode, where the path is the boot CPU's.
 */
export function emitTrampoline(asm: Assembler): void {
	const {label, bits, cli, cld, mov, lgdt, align} = asm;
	align(16);
	label('trampoline');
	bits(16);
	cli();
	cld();
	mov(ax, cs);
	mov(ds, ax);
	lgdt(dword(distance('trampoline', 'trampoline-gdt-pointer')));
	mov(eax, cr0);
	asm.or(eax, cr0Protected);
	mov(cr0, eax);
	asm.farJump(selector.kernelCode32, 'trampoline-protected');
	align(4, 0);
	label('trampoline-gdt-pointer');
	asm.words({...distance('gdt', 'gdt-end'), add: -1});
	asm.dwords('gdt');
	label('trampoline-end');
	bits(32);
	label('trampoline-protected'); // not copied: above 1 MiB
	mov(eax, selector.kernelData);
	for (const segment of [ss, ds, es]) mov(segment, eax);
	asm.jmp('other-cpu-entry');
	bits(64);
}
