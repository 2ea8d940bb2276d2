import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import type {ExecutionContext} from 'ava';
import {writePvhElf} from '#flowey/embedded-guest';
import {createAssembler, dword, eax, edi, edx, esi, r8d, r9d, r10d, r12, r12d, rax, rdx} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {SOCKET: 41, SENDTO: 44, RECVFROM: 45, BIND: 49, EXIT: 60} as const;
const [AF_INET6, SOCK_DGRAM, addressBytes] = [10, 2, 28];
const [origin, bufferBytes] = [0x40_0000, 0x1_0000];

/** Assembles a program for Linux, as Debian's busybox has none: it sends datagrams that come to a port, of either version of IP, back to where they are from. */
export function udpEchoProgram(port: number): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, test, jl, jne, jmp, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
	};
	mov(edi, AF_INET6);
	mov(esi, SOCK_DGRAM);
	xor(edx, edx);
	invoke(Call.SOCKET);
	mov(r12, rax);
	mov(edi, r12d);
	mov(esi, 'address');
	mov(edx, addressBytes);
	invoke(Call.BIND);
	test(eax, eax);
	jne('failed');
	label('next');
	mov(eax, addressBytes);
	mov(dword('length'), eax);
	mov(edi, r12d);
	mov(esi, 'buffer');
	mov(edx, bufferBytes);
	xor(r10d, r10d);
	mov(r8d, 'address');
	mov(r9d, 'length');
	invoke(Call.RECVFROM);
	test(rax, rax);
	jl('failed');
	mov(rdx, rax);
	mov(edi, r12d);
	mov(esi, 'buffer');
	xor(r10d, r10d);
	mov(r8d, 'address');
	mov(r9d, addressBytes);
	invoke(Call.SENDTO);
	jmp('next');
	label('failed');
	mov(edi, 1);
	invoke(Call.EXIT);

	asm.align(8, 0);
	// struct sockaddr_in6 of nobody in particular (include/uapi/linux/in6.h): IPv4 comes there too.
	label('address');
	asm.words(AF_INET6, ((port & 0xff) << 8) | (port >> 8));
	asm.dwords(0, 0, 0, 0, 0, 0);
	label('length');
	asm.dwords(0);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}

/** What comes back from a port of the host's that leads to a guest, which may not listen yet. */
export async function echoed(t: ExecutionContext, port: number, asked: string | Uint8Array): Promise<Buffer> {
	const socket = createSocket('udp4');
	// Pieces of several large ones together are more than a network keeps.
	const again = setInterval(() => socket.send(asked, port, '127.0.0.1'), 500);
	t.teardown(() => socket.close());
	try {
		const [answer] = await once(socket, 'message');
		return answer;
	} finally {
		clearInterval(again);
	}
}
