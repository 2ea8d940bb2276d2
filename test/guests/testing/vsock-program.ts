import {writePvhElf} from '#flowey/embedded-guest';
import {
	byte,
	createAssembler,
	dword,
	eax,
	ebx,
	ecx,
	edi,
	edx,
	esi,
	qword,
	r12,
	r12d,
	r13,
	r13d,
	r14,
	r14d,
	r15,
	r15d,
	rax,
	rbp,
	rbx,
	rdi,
	rdx,
	rsi,
	rsp,
} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {
	READ: 0,
	WRITE: 1,
	SOCKET: 41,
	CONNECT: 42,
	ACCEPT: 43,
	SHUTDOWN: 48,
	BIND: 49,
	LISTEN: 50,
	FORK: 57,
	EXIT: 60,
} as const;
/** Addresses of vsock(7): the family, the host, and whoever it is. */
const [AF_VSOCK, hostCid, anyCid] = [40, 2, 0xffff_ffff];
const [SOCK_STREAM, SHUT_WR, addressBytes] = [1, 1, 16];
const [origin, bufferBytes] = [0x40_0000, 0x1_0000];

/** How the program ends: it could not connect, or its connection broke. */
export const vsockStatus = {refused: 2, broken: 3} as const;

/**
 * Assembles a program for Linux, `vsock c PORT` or `vsock l PORT`, as Debian's busybox has none: it connects to a port of the host's, or takes one
 * connection, sends its input and then ends that direction, and writes what it gets to its output until that ends.
 */
export function vsockProgram(): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, movzx, sub, add, cmp, test, xor, inc, imul, je, jne, jb, jl, jle, jmp, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
	};
	const exit = (status: number) => {
		mov(edi, status);
		invoke(Call.EXIT);
	};
	/** Hands all bytes of the descriptor in R14 to that in R15; the last read's result stays in RAX. */
	const copy = () => {
		const [more, rest, done] = [asm.unique('more'), asm.unique('rest'), asm.unique('done')];
		label(more);
		mov(rdi, r14);
		mov(esi, 'buffer');
		mov(edx, bufferBytes);
		invoke(Call.READ);
		test(rax, rax);
		jle(done);
		mov(ebx, 'buffer');
		mov(rbp, rax);
		label(rest);
		mov(rdi, r15);
		mov(rsi, rbx);
		mov(rdx, rbp);
		invoke(Call.WRITE);
		test(rax, rax);
		jl(done);
		add(rbx, rax);
		sub(rbp, rax);
		jne(rest);
		jmp(more);
		label(done);
	};

	// The first word of the command line, and the number in the second.
	mov(rbx, qword(rsp, 16));
	mov(rsi, qword(rsp, 24));
	xor(edx, edx);
	label('digit');
	movzx(ecx, byte(rsi));
	sub(ecx, 0x30);
	jb('parsed');
	imul(edx, edx, 10);
	add(edx, ecx);
	inc(rsi);
	jmp('digit');
	label('parsed');
	mov(dword('port'), edx);
	mov(edi, AF_VSOCK);
	mov(esi, SOCK_STREAM);
	xor(edx, edx);
	invoke(Call.SOCKET);
	mov(r12, rax);
	cmp(byte(rbx), 'l'.charCodeAt(0));
	je('listens');
	mov(edi, r12d);
	mov(esi, 'address');
	mov(edx, addressBytes);
	invoke(Call.CONNECT);
	mov(r13, r12);
	jmp('connected');
	label('listens');
	mov(eax, anyCid);
	mov(dword('cid'), eax);
	mov(edi, r12d);
	mov(esi, 'address');
	mov(edx, addressBytes);
	invoke(Call.BIND);
	mov(edi, r12d);
	mov(esi, 1);
	invoke(Call.LISTEN);
	mov(edi, r12d);
	xor(esi, esi);
	xor(edx, edx);
	invoke(Call.ACCEPT);
	mov(r13, rax);
	label('connected');
	test(eax, eax);
	jl('refused');

	invoke(Call.FORK);
	test(eax, eax);
	jne('receives');
	xor(r14d, r14d);
	mov(r15, r13);
	copy();
	mov(edi, r13d);
	mov(esi, SHUT_WR);
	invoke(Call.SHUTDOWN);
	exit(0);
	label('receives');
	mov(r14, r13);
	mov(r15d, 1);
	copy();
	test(rax, rax);
	jl('broken');
	exit(0);
	label('broken');
	exit(vsockStatus.broken);
	label('refused');
	exit(vsockStatus.refused);

	asm.align(8, 0);
	// struct sockaddr_vm (include/uapi/linux/vm_sockets.h).
	label('address');
	asm.words(AF_VSOCK, 0);
	label('port');
	asm.dwords(0);
	label('cid');
	asm.dwords(hostCid, 0);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}
