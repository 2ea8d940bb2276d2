import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import type {ExecutionContext} from 'ava';
import {writePvhElf} from '#flowey/embedded-guest';
import {createAssembler, dword, eax, edi, edx, esi, r8d, r9d, r10d, r12, r12d, rax, rdx} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {READ: 0, WRITE: 1, SOCKET: 41, CONNECT: 42, SENDTO: 44, RECVFROM: 45, BIND: 49, EXIT: 60} as const;
const [AF_INET6, SOCK_DGRAM, addressBytes] = [10, 2, 28];
const [origin, bufferBytes] = [0x40_0000, 0x1_0000];

/** Begins a program of Linux's with a socket for datagrams in r12, which is told the address at `address` by a call of its own. */
function begin(call: number) {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, test, jl, syscall} = asm;
	/** Ends the program where the kernel refuses it. */
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
	invoke(call);
	return {asm, invoke};
}

/** Ends it, with an address (struct sockaddr_in6, include/uapi/linux/in6.h) and what else it has. */
function finish(asm: ReturnType<typeof createAssembler>, address: Uint8Array, port: number): Uint8Array {
	const {mov, syscall, label} = asm;
	label('failed');
	mov(edi, 1);
	mov(eax, Call.EXIT);
	syscall();

	asm.align(8, 0);
	label('address');
	asm.words(AF_INET6, ((port & 0xff) << 8) | (port >> 8));
	asm.dwords(0);
	const view = new DataView(address.buffer, address.byteOffset);
	asm.dwords(...[0, 4, 8, 12].map((at) => view.getUint32(at, true)), 0);
	label('length');
	asm.dwords(0);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}

/** Assembles a program for Linux, as Debian's busybox has none: it sends datagrams that come to a port, of either version of IP, back to where they are from. */
export function udpEchoProgram(port: number): Uint8Array {
	const {asm, invoke} = begin(Call.BIND);
	const {mov, xor, jmp, label} = asm;
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
	mov(rdx, rax);
	mov(edi, r12d);
	mov(esi, 'buffer');
	xor(r10d, r10d);
	mov(r8d, 'address');
	mov(r9d, addressBytes);
	invoke(Call.SENDTO);
	jmp('next');
	// Of nobody in particular: IPv4 comes there too.
	return finish(asm, new Uint8Array(16), port);
}

/**
 * Assembles one that sends its input as one datagram, waits for one from there, and writes what that carries to its output.
 * @param address - of IPv6; of IPv4 as one of it (RFC 4291, 2.5.5.2)
 */
export function udpAskProgram(address: Uint8Array, port: number): Uint8Array {
	const {asm, invoke} = begin(Call.CONNECT);
	const {mov, xor, syscall} = asm;
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
	return finish(asm, address, port);
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
