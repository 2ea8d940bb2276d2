import {writePvhElf} from '#flowey/embedded-guest';
import {cr0, cr3, cr4, createAssembler, dword, eax, ecx} from '#flowey/x86-assembler';
import type {MicroKernel} from './micro-kernel.ts';

const efer = 0xc000_0080;
const codeSelector = 0x08;

/** Wraps a 64-bit kernel so that any PVH loader boots it: a stub behind it goes from the 32-bit entry to its state. */
export function wrapForPvh({name, mode, image, loadAddress, entry, pageTables}: MicroKernel): Uint8Array {
	if (mode !== 'long' || pageTables === undefined) throw new Error(`Kernel ${name} is not a 64-bit one`);
	const origin = loadAddress + image.length;
	const {label, mov, or, lgdt, rdmsr, wrmsr, bits, jmp, farJump, qwords, words, dwords, align, finish} =
		createAssembler({
			origin,
			bits: 32,
		});
	label('origin');
	lgdt(dword('gdt-pointer'));
	mov(eax, cr4);
	or(eax, 0x20); // PAE
	mov(cr4, eax);
	mov(eax, pageTables);
	mov(cr3, eax);
	mov(ecx, efer);
	rdmsr();
	or(eax, 0x101); // LME, SCE
	wrmsr();
	mov(eax, cr0);
	or(eax, 0x8000_0021); // PG, NE, PE
	mov(cr0, eax);
	farJump(codeSelector, 'long-mode');
	bits(64);
	label('long-mode');
	jmp({label: 'origin', add: entry - origin});
	align(8, 0);
	label('gdt');
	qwords(0, 0x00af_9b00_0000_ffffn);
	label('gdt-pointer');
	words(15);
	dwords('gdt');
	const stub = finish().bytes;
	const bytes = new Uint8Array(image.length + stub.length);
	bytes.set(image);
	bytes.set(stub, image.length);
	return writePvhElf({bytes, loadAddress, memorySize: bytes.length, entry: origin});
}
