import {
	type Assembler,
	al,
	byte,
	cl,
	dl,
	dword,
	dx,
	eax,
	ecx,
	edi,
	edx,
	r8,
	r8d,
	r9d,
	r10d,
	rax,
	rcx,
	rdi,
	rdx,
	rsi,
	word,
} from '#flowey/x86-assembler';
import {lineBuffer, port} from './layout.ts';

const lineStatus = port.com1 + 5;
const holdingRegisterEmpty = 0x20;
const transmitterEmpty = 0x40;
const dataReady = 0x01;

/**
 * The console: text gathers in a line buffer and leaves through COM1, a 16550 that is polled.
 * With working FIFOs it takes 16 bytes per poll in one `rep outsb`, which is one exit on KVM.
 *
 * Like all kernel routines these may change RAX, RCX, RDX, RSI, RDI and R8 to R11, and keep the rest.
 */
export function emitConsole(asm: Assembler): void {
	emitInit(asm);
	emitAppend(asm);
	emitFlush(asm);
	emitDrain(asm);
	emitReadByte(asm);
}

function emitInit(asm: Assembler): void {
	const {label, mov, and, cmp, jne, ret, out} = asm;
	label('console-init');
	const set = (offset: number, value: number): void => {
		mov(dx, port.com1 + offset);
		mov(al, value);
		out(dx, al);
	};
	set(1, 0); // no interrupts
	set(3, 0x80); // divisor follows
	set(0, 1); // 115200 baud
	set(1, 0);
	set(3, 0x03); // 8 data bits, no parity, 1 stop bit
	set(2, 0x07); // FIFOs on and empty
	set(4, 0x03); // DTR and RTS
	mov(dx, port.com1 + 2);
	asm.in(al, dx);
	and(al, 0xc0);
	cmp(al, 0xc0);
	jne('console-ready');
	mov(dword('console-burst'), 16);
	label('console-ready');
	ret();
}

function emitAppend(asm: Assembler): void {
	const {label, mov, add, prefix, movsb, ret, div, dec, test, jnz, jz, cmp, and, or, jbe, shr, push, pop, xor} = asm;
	label('append-text'); // RSI text, ECX length
	mov(edi, dword('line-length'));
	add(dword('line-length'), ecx);
	add(edi, lineBuffer);
	prefix('rep');
	movsb();
	ret();

	label('append-decimal'); // RAX number
	mov(edi, 'digits-end');
	mov(ecx, 10);
	label('decimal-digit');
	xor(edx, edx);
	div(rcx);
	or(dl, 0x30);
	dec(rdi);
	mov(byte(rdi), dl);
	test(rax, rax);
	jnz('decimal-digit');
	label('append-digits');
	mov(rsi, rdi);
	mov(ecx, 'digits-end');
	asm.sub(ecx, edi);
	asm.jmp('append-text');

	label('append-hexadecimal'); // RAX number
	mov(edi, 'digits-end');
	label('hexadecimal-digit');
	mov(ecx, eax);
	and(ecx, 15);
	or(cl, 0x30);
	cmp(cl, 0x39);
	jbe('hexadecimal-store');
	add(cl, 0x27);
	label('hexadecimal-store');
	dec(rdi);
	mov(byte(rdi), cl);
	shr(rax, 4);
	jnz('hexadecimal-digit');
	asm.jmp('append-digits');

	label('append-repeated'); // AL character, ECX count, may be 0
	test(ecx, ecx);
	jz('append-nothing');
	mov(edi, dword('line-length'));
	add(dword('line-length'), ecx);
	add(edi, lineBuffer);
	prefix('rep');
	asm.stosb();
	label('append-nothing');
	ret();

	label('append-tenths'); // RAX number of thousandths, printed with one decimal
	xor(edx, edx);
	mov(ecx, 1000);
	div(rcx);
	push(rdx);
	asm.call('append-decimal');
	mov(al, 0x2e);
	mov(ecx, 1);
	asm.call('append-repeated');
	pop(rax);
	xor(edx, edx);
	mov(ecx, 100);
	div(rcx);
	asm.jmp('append-decimal');
}

function emitFlush(asm: Assembler): void {
	const {label, mov, add, sub, test, jnz, jz, cmp, cmova, dec, ret, prefix, outsb, pause} = asm;
	label('end-line');
	mov(eax, dword('line-length'));
	mov(word(rax, lineBuffer), 0x0a0d);
	add(dword('line-length'), 2);
	label('flush');
	mov(r8d, lineBuffer);
	mov(r9d, dword('line-length'));
	mov(dword('line-length'), 0);
	label('flush-burst');
	test(r9d, r9d);
	jz('flush-done');
	mov(r10d, 0x1000_0000);
	mov(dx, lineStatus);
	label('flush-wait');
	asm.in(al, dx);
	test(al, holdingRegisterEmpty);
	jnz('flush-send');
	pause();
	dec(r10d);
	jnz('flush-wait'); // a dead port loses text, it does not stop the guest
	label('flush-send');
	mov(ecx, dword('console-burst'));
	cmp(ecx, r9d);
	cmova(ecx, r9d);
	sub(r9d, ecx);
	mov(rsi, r8);
	mov(dx, port.com1);
	prefix('rep');
	outsb();
	mov(r8, rsi);
	asm.jmp('flush-burst');
	label('flush-done');
	ret();
}

/** Waits until the last byte has left the port: what is in its FIFO is lost when the machine ends. */
function emitDrain({label, mov, test, jnz, ret, pause, dec, in: read}: Assembler): void {
	label('drain');
	mov(r10d, 0x1000_0000);
	mov(dx, lineStatus);
	label('drain-wait');
	read(al, dx);
	test(al, transmitterEmpty);
	jnz('drained');
	pause();
	dec(r10d);
	jnz('drain-wait');
	label('drained');
	ret();
}

function emitReadByte(asm: Assembler): void {
	const {label, mov, test, jnz, ret, pause, jmp} = asm;
	label('read-byte'); // waits for a byte, returns it in AL
	mov(dx, lineStatus);
	label('read-byte-wait');
	asm.in(al, dx);
	test(al, dataReady);
	jnz('read-byte-ready');
	pause();
	jmp('read-byte-wait');
	label('read-byte-ready');
	mov(dx, port.com1);
	asm.in(al, dx);
	ret();
}

/** The console's variables. */
export function emitConsoleData({label, align, dwords, zeros}: Assembler): void {
	align(8, 0);
	label('line-length');
	dwords(0);
	label('console-burst'); // bytes per poll: 1 until FIFOs are found
	dwords(1);
	zeros(24);
	label('digits-end');
}
