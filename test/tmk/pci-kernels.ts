import {
	type Assembler,
	al,
	ax,
	byte,
	dword,
	dx,
	eax,
	ebx,
	ecx,
	type Register,
	r12,
	r13,
	r14,
	r15,
	rax,
	rcx,
	rdx,
	word,
} from '#flowey/x86-assembler';
import {apicRegister, writeApic} from './apic-kernels.ts';
import {exitCode} from './layout.ts';
import {type MicroKernel, microKernel} from './micro-kernel.ts';

/** Where the kernel looks. */
export interface PciKernelOptions {
	/** Configuration space of bus 0, below 4 GiB; buses follow at 1 MiB each. */
	readonly ecam: number;
	/** Functions on the root bus. The endpoint, `guide/examples/dma-engine.ts`, is device 0 of bus 1. */
	readonly rootFunctions: number;
	/** The processor's, 0 to 32767; above 255 CPUID must announce destinations that wide. */
	readonly apicId?: number;
}

/** First exit code of a check that failed; each check has the next one. */
export const firstFailure = 0x10;

const [portIds, engineIds, engineId] = [0xc030_1414, 0xc0de_1414, 0x656e_6744];
const [addressPort, dataPort] = [0xcf8, 0xcfc];
const [command, bar0, bar1, interruptLine] = [0x04, 0x10, 0x14, 0x3c];
const [memory, master] = [2, 4];
/** Behind the Express capability and MSI, as the capability list says. */
const msixControl = 0x94 + 2;
const msixEnable = 0x8000;
const engine = {ID: 0, SOURCE: 0x08, TARGET: 0x10, LENGTH: 0x18, COMMAND: 0x1c, CAUSE: 0x20, done: 1} as const;
const moveBy = 0x8_0000;
const [source, target, copied] = [0x10_0000, 0x1f_0000, 64];
const ioApic = 0xfec0_0000;
const [levelVector, messageVector] = [0x51, 0x52];
/** Level-triggered, active low. */
const levelEntry = 0xa000 | levelVector;
/** Destinations of 15 bits: KVM, Documentation/virt/kvm/x86/cpuid.rst, MSI_EXT_DEST_ID. */
const messageAddress = (apicId: number) => 0xfee0_0000 + ((apicId & 0xff) << 12) + ((apicId >> 8) << 5);
const entryDestination = (apicId: number) => ((apicId & 0xff) << 24) | ((apicId >> 8) << 17);
const [kvmFeatures, extendedDestinations] = [0x4000_0001, 1 << 15];

/**
 * Finds the endpoint by 0xCF8 and by ECAM, sizes and moves its BAR, and lets it copy memory: once with an interrupt through
 * the I/O APIC, once with one by MSI-X, once with one that is masked first.
 */
export function pciEndpoint({ecam, rootFunctions, apicId = 0}: PciKernelOptions): MicroKernel {
	return microKernel('pci-endpoint', (asm, {exit, handle}) => {
		const {label, mov, add, cmp, je, inc, xor, out, unique, cli, sti, hlt, jmp, shl, movzx} = asm;
		const config = (bus: number, offset: number): void => mov(r12, ecam + bus * 0x10_0000 + offset);
		let code = firstFailure;
		const expect = (register: Register, value: number): void => {
			const fine = unique('fine');
			cmp(register, value | 0);
			je(fine);
			exit(code++);
			label(fine);
		};
		const readPorts = (address: number): void => {
			mov(dx, addressPort);
			mov(eax, address);
			out(dx, eax);
			mov(dx, dataPort);
			asm.in(eax, dx);
		};
		const register = (offset: number) => dword(r13, offset);
		const start = (): void => {
			mov(register(engine.SOURCE), source);
			mov(register(engine.TARGET), target);
			mov(register(engine.LENGTH), copied);
			mov(register(engine.COMMAND), 1);
		};
		const waitFor = (interrupts: number): void => {
			const [again, come] = [unique('again'), unique('come')];
			label(again);
			cli();
			cmp(dword('interrupts'), interrupts);
			je(come);
			sti(); // takes effect after the halt has begun, so that no interrupt is missed
			hlt();
			jmp(again);
			label(come);
		};

		// Both ways to configuration space.
		readPorts(0x8000_0000);
		expect(eax, portIds);
		readPorts(0x8001_0000);
		expect(eax, engineIds);
		config(1, 0);
		mov(eax, dword(r12));
		expect(eax, engineIds);
		countFunctions(asm, ecam);
		expect(ebx, rootFunctions);

		// The BAR: its size, and another place.
		config(1, 0);
		mov(eax, dword(r12, bar0));
		mov(r14, rax);
		mov(dword(r12, command), 0);
		mov(dword(r12, bar0), -1);
		mov(eax, dword(r12, bar0));
		expect(eax, 0xffff_f000);
		mov(rax, r14);
		add(rax, moveBy);
		mov(dword(r12, bar0), eax);
		mov(dword(r12, command), memory | master);
		mov(r13, rax);
		mov(eax, register(engine.ID));
		expect(eax, engineId);
		mov(eax, dword(r14));
		expect(eax, 0xffff_ffff);

		if (apicId > 255) {
			mov(eax, kvmFeatures);
			asm.cpuid();
			asm.and(eax, extendedDestinations);
			expect(eax, extendedDestinations);
		}

		// An interrupt through the I/O APIC, at the input that firmware put down.
		handle(levelVector, 'interrupt');
		handle(messageVector, 'interrupt');
		mov(al, 0xff);
		out(0x21, al);
		out(0xa1, al);
		writeApic(asm, apicRegister.spurious, 0x1ff);
		movzx(eax, byte(r12, interruptLine));
		shl(eax, 1);
		add(eax, 0x11);
		mov(rcx, ioApic);
		mov(dword(rcx), eax);
		mov(dword(rcx, 0x10), entryDestination(apicId));
		asm.dec(eax);
		mov(dword(rcx), eax);
		mov(dword(rcx, 0x10), levelEntry);
		start();
		waitFor(1);
		mov(rcx, source);
		mov(eax, dword(rcx));
		mov(rcx, target);
		mov(ebx, dword(rcx));
		xor(eax, ebx);
		expect(eax, 0);

		// The same by MSI-X.
		mov(eax, dword(r12, bar1));
		mov(r15, rax);
		mov(eax, messageAddress(apicId));
		mov(dword(r15, 0), eax);
		mov(dword(r15, 4), 0);
		mov(dword(r15, 8), messageVector);
		mov(dword(r15, 12), 0);
		mov(eax, msixEnable | 1);
		mov(word(r12, msixControl), ax);
		start();
		waitFor(2);

		// Masked it waits, and comes when it may.
		mov(dword(r15, 12), 1);
		start();
		mov(eax, dword(r15, 32));
		expect(eax, 1);
		mov(eax, dword('interrupts'));
		expect(eax, 2);
		mov(dword(r15, 12), 0);
		waitFor(3);
		exit(exitCode.ok);

		label('interrupt');
		asm.push(rax);
		asm.push(rcx);
		asm.push(rdx);
		inc(dword('interrupts'));
		mov(register(engine.CAUSE), engine.done);
		writeApic(asm, apicRegister.endOfInterrupt, 0);
		asm.pop(rdx);
		asm.pop(rcx);
		asm.pop(rax);
		asm.iretq();
		asm.align(4, 0);
		label('interrupts');
		asm.dwords(0);
	});
}

/** Counts the functions of bus 0 that answer, in EBX. */
function countFunctions(asm: Assembler, ecam: number): void {
	const {label, mov, cmp, je, jb, inc, xor, add} = asm;
	mov(r12, ecam);
	xor(ebx, ebx);
	xor(ecx, ecx);
	label('function');
	mov(eax, dword(r12));
	cmp(eax, -1);
	je('absent');
	inc(ebx);
	label('absent');
	add(r12, 0x1000);
	inc(ecx);
	cmp(ecx, 256);
	jb('function');
}
