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
	ecx,
	edi,
	es,
	esi,
	ss,
} from '#flowey/x86-assembler';
import {sendCommand} from './apic-kernels.ts';
import {selector} from './layout.ts';

/** Address of the instructions of a processor that starts: a page below 1 MiB that nothing else uses. */
const trampolineAddress = 0x8000;
/** INIT asserted, and a start-up message with the page's number as vector (Intel SDM vol. 3, 11.6.1). */
const [initCommand, startUpCommand] = [0x4500, 0x4600 | (trampolineAddress >> 12)];
const efer = 0xc000_0080;
const eferLongMode = 0x100;
const [cr0Protected, cr0Paging] = [1, 0x8000_0000];
const cr4PhysicalAddressExtension = 0x20;

/** Wakes the processor with this APIC id, which comes to the kernel's entry. The kernel has an {@link emitTrampoline}. */
export function startProcessor(asm: Assembler, apicId: number): void {
	const {mov, prefix, movsb} = asm;
	mov(esi, 'trampoline');
	mov(edi, trampolineAddress);
	mov(ecx, distance('trampoline', 'trampoline-end'));
	prefix('rep');
	movsb();
	// No hypervisor needs the pauses that the specification has for processors of their own.
	for (const command of [initCommand, startUpCommand]) sendCommand(asm, command, apicId);
}

/** From real mode, in the page that {@link startProcessor} copies it to, to 64-bit mode and the kernel's entry. */
export function emitTrampoline(asm: Assembler): void {
	const {label, bits, cli, mov, lgdt, align, rdmsr, wrmsr, farJump} = asm;
	align(16);
	label('trampoline');
	bits(16);
	cli();
	mov(ax, cs);
	mov(ds, ax);
	lgdt(dword(distance('trampoline', 'trampoline-gdt-pointer')));
	mov(eax, cr0);
	asm.or(eax, cr0Protected);
	mov(cr0, eax);
	farJump(selector.kernelCode32, 'trampoline-protected');
	align(4, 0);
	label('trampoline-gdt-pointer');
	asm.words({...distance('gdt', 'gdt-end'), add: -1});
	asm.dwords('gdt');
	label('trampoline-end');
	bits(32);
	label('trampoline-protected'); // not copied: above 1 MiB
	mov(eax, selector.kernelData);
	for (const segment of [ss, ds, es]) mov(segment, eax);
	mov(eax, cr4);
	asm.or(eax, cr4PhysicalAddressExtension);
	mov(cr4, eax);
	mov(eax, 'page-tables');
	mov(cr3, eax);
	mov(ecx, efer);
	rdmsr();
	asm.or(eax, eferLongMode);
	wrmsr();
	mov(eax, cr0);
	asm.or(eax, cr0Protected | cr0Paging);
	mov(cr0, eax);
	farJump(selector.kernelCode, 'entry');
	bits(64);
}
