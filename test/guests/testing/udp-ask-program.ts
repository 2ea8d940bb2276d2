import {writePvhElf} from '#flowey/embedded-guest';
import {createAssembler, eax, edi, edx, esi, r8d, r9d, r10d, r12, r12d, rax, rdx} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {READ: 0, WRITE: 1, SOCKET: 41, CONNECT: 42, SENDTO: 44, RECVFROM: 45, EXIT: 60} as const;
const [AF_INET6, SOCK_DGRAM, addressBytes] = [10, 2, 28];
const [origin, bufferBytes] = [0x40_0000, 0x1_0000];

/**
 * Assembles a program for Linux, as Debian's busybox has none: it sends its input as one datagram, waits for one from there, and writes what that
 * carries to its output. It ends with 1 where the kernel refuses something.
 * @param address - of IPv6; of IPv4 as one of it (RFC 4291, 2.5.5.2)
 */
export function udpAskProgram(address: Uint8Array, port: number): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, test, jl, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
		test(rax, rax);
		jl('failed');
	};
	mov(edi, AF_INET6);
	mov(esi, SOCK_DGRAM);
	xor(edx, edx);
	invoke(Call.SOCKET);
	mov(r12, rax);
	mov(edi, r12d);
	mov(esi, 'address');
	mov(edx, addressBytes);
	invoke(Call.CONNECT);
	xor(edi, edi);
	mov(esi, 'buffer');
	mov(edx, bufferBytes);
	invoke(Call.READ);
	for (const call of [Call.SENDTO, Call.RECVFROM]) {
		if (call === Call.SENDTO) mov(rdx, rax);
		else mov(edx, bufferBytes);
		mov(edi, r12d);
		mov(esi, 'buffer');
		xor(r10d, r10d);
		xor(r8d, r8d);
		xor(r9d, r9d);
		invoke(call);
	}
	mov(rdx, rax);
	mov(edi, 1);
	mov(esi, 'buffer');
	invoke(Call.WRITE);
	xor(edi, edi);
	mov(eax, Call.EXIT);
	syscall();
	label('failed');
	mov(edi, 1);
	mov(eax, Call.EXIT);
	syscall();

	asm.align(8, 0);
	// struct sockaddr_in6 (include/uapi/linux/in6.h).
	label('address');
	asm.words(AF_INET6, ((port & 0xff) << 8) | (port >> 8));
	asm.dwords(0);
	const view = new DataView(address.buffer, address.byteOffset);
	asm.dwords(...[0, 4, 8, 12].map((at) => view.getUint32(at, true)), 0);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}
