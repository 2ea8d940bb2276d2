import {
	type Assembler,
	al,
	ax,
	byte,
	dl,
	dword,
	dx,
	eax,
	ebx,
	ecx,
	edi,
	edx,
	esi,
	qword,
	r8d,
	r12,
	r12d,
	rax,
	rbx,
	rcx,
	rsi,
	word,
} from '#flowey/x86-assembler';
import {lineBuffer, port} from './layout.ts';
import type {Texts} from './text.ts';

/** Emits what the guest can do besides its work, for tests of the machine it runs on. */
export function emitModes(asm: Assembler, texts: Texts): void {
	emitHang(asm);
	emitFlood(asm);
	emitEcho(asm, texts);
	emitPorts(asm, texts);
	emitMmio(asm, texts);
}

/** `hang=`: every CPU stops answering, in one of three ways. */
function emitHang({label, mov, cmp, je, jmp, cli, sti, hlt}: Assembler): void {
	label('hang');
	mov(eax, dword('option-hang'));
	cli();
	cmp(eax, 2);
	je('hang-halted');
	cmp(eax, 3);
	je('hang-halted-open');
	label('hang-spin');
	jmp('hang-spin');
	label('hang-halted');
	hlt();
	jmp('hang-halted');
	label('hang-halted-open');
	sti();
	hlt();
	jmp('hang-halted-open');
}

const floodText = ' the quick brown fox jumps over the lazy dog 0123456789\r\n';

/** `flood=N`: N lines of 64 characters as fast as the port takes them. */
function emitFlood(asm: Assembler): void {
	const {label, mov, cmp, jae, jmp, ret, push, pop, inc, call, prefix, movsb, dec, jnz, div, xor, add} = asm;
	label('flood');
	push(rbx);
	xor(ebx, ebx);
	mov(esi, 'flood-text');
	mov(edi, lineBuffer + 6);
	mov(ecx, floodText.length);
	prefix('rep');
	movsb();
	label('flood-line');
	cmp(ebx, dword('option-flood'));
	jae('flood-done');
	mov(eax, ebx);
	mov(ecx, 6);
	mov(r8d, 10);
	label('flood-digit');
	xor(edx, edx);
	div(r8d);
	add(edx, 0x30);
	dec(ecx);
	mov(byte(rcx, lineBuffer), dl);
	jnz('flood-digit');
	mov(dword('line-length'), floodText.length + 6);
	call('flush');
	inc(ebx);
	jmp('flood-line');
	label('flood-done');
	pop(rbx);
	ret();
	label('flood-text');
	asm.bytes(floodText);
}

/** `echo`: every received byte is sent back, until `q`. */
function emitEcho(asm: Assembler, texts: Texts): void {
	const {label, mov, cmp, je, jmp, ret, call} = asm;
	label('echo');
	texts.sayLine('Echo: type, q ends');
	label('echo-next');
	call('read-byte');
	cmp(al, 0x71);
	je('echo-done');
	mov(byte(lineBuffer), al);
	mov(dword('line-length'), 1);
	call('flush');
	jmp('echo-next');
	label('echo-done');
	call('end-line');
	ret();
}

/**
 * Ports that `ports` leaves alone: those that end or wedge the machine, and the console's. First and last.
 * The power management control register and the reset register are left out at run time besides.
 */
const sparedPorts: readonly (readonly [number, number])[] = [
	[0x64, 0x64], // keyboard controller: pulses the reset line
	[0x92, 0x92], // fast reset
	[0xb2, 0xb3], // system management interrupt
	[0xf4, 0xf4], // debug exit
	[0x3f8, 0x3ff], // COM1
	[0x505, 0x505], // panic event: the machine would believe it
	[0x510, 0x51b], // QEMU firmware configuration: would copy over memory
	[0xcf8, 0xcff], // PCI configuration, and the reset control register within
];

/** `ports=N`: N times, reads every port, and all that do no harm at every width, and writes a byte to those. */
function emitPorts(asm: Assembler, texts: Texts): void {
	const {label, mov, cmp, jb, jbe, jne, je, ret, push, pop, inc, dec, jnz, out, lea} = asm;
	label('ports');
	push(rbx);
	push(r12);
	mov(r12d, dword('option-ports'));
	label('ports-pass');
	asm.xor(ebx, ebx);
	label('ports-next');
	mov(edx, ebx);
	asm.in(al, dx);
	for (const [first, last] of sparedPorts) {
		const harmless = asm.unique('port-harmless');
		cmp(ebx, first);
		jb(harmless);
		cmp(ebx, last);
		jbe('ports-spared');
		label(harmless);
	}
	lea(eax, dword(rbx, -1));
	cmp(eax, dword('pm1a-control'));
	je('ports-spared');
	cmp(ebx, dword('pm1a-control'));
	je('ports-spared');
	cmp(ebx, dword('reset-register'));
	je('ports-spared');
	asm.in(ax, dx);
	asm.in(eax, dx);
	mov(eax, ebx);
	out(dx, al);
	label('ports-spared');
	inc(ebx);
	cmp(ebx, 0x1_0000);
	jne('ports-next');
	dec(r12d);
	jnz('ports-pass');
	mov(al, 0xff); // the sweep may have opened the interrupt controllers
	out(port.pic1Mask, al);
	out(port.pic2Mask, al);
	texts.sayLine('Ports: 65536 read, all but the dangerous ones written');
	pop(r12);
	pop(rbx);
	ret();
}

/** `mmio`: touches addresses without memory below 4 GiB, each width, every 16 MiB. */
function emitMmio(asm: Assembler, texts: Texts): void {
	const {label, mov, add, cmp, jb, ret} = asm;
	label('mmio');
	mov(esi, dword('low-memory-end'));
	add(esi, 0x0fff_ffff); // past anything the firmware keeps at the end of memory
	asm.and(esi, 0xf000_0000);
	label('mmio-next');
	mov(al, byte(rsi));
	mov(ax, word(rsi, 2));
	mov(eax, dword(rsi, 4));
	mov(rax, qword(rsi, 8));
	mov(rax, qword(rsi, 0xff9)); // across a page boundary
	mov(byte(rsi), al);
	mov(word(rsi, 2), ax);
	mov(dword(rsi, 4), eax);
	mov(qword(rsi, 8), rax);
	mov(qword(rsi, 0xff9), rax);
	add(esi, 0x100_0000);
	cmp(esi, 0xfe00_0000);
	jb('mmio-next');
	texts.sayLine('MMIO: unused addresses read and written');
	ret();
}
