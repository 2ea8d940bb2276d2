import {writePvhElf} from '#flowey/embedded-guest';
import {createAssembler, eax, edi, edx, esi, qword, rax, rsp} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {IOCTL: 16, SOCKET: 41, EXIT: 60} as const;
const [AF_INET, SOCK_DGRAM] = [2, 2];
/** Has the driver of a NIC do what a command of include/uapi/linux/ethtool.h says. */
const [SIOCETHTOOL, ETHTOOL_SRINGPARAM] = [0x8946, 0x11];
const origin = 0x40_0000;

/**
 * Assembles a program for Linux, as Debian's busybox has no ethtool: it gives the rings of a NIC, whose name is its argument and has at most 7 characters, another size.
 * Its status is 0, or the error that the driver gives.
 */
export function ringSizeProgram(size: number): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, neg, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
	};
	mov(rax, qword(rsp, 16));
	mov(rax, qword(rax));
	mov(qword('name'), rax);
	mov(edi, AF_INET);
	mov(esi, SOCK_DGRAM);
	xor(edx, edx);
	invoke(Call.SOCKET);
	mov(edi, eax);
	mov(esi, SIOCETHTOOL);
	mov(edx, 'name');
	invoke(Call.IOCTL);
	neg(eax);
	mov(edi, eax);
	invoke(Call.EXIT);

	asm.align(8, 0);
	// struct ifreq: a name, and where the command is.
	label('name');
	asm.dwords(0, 0, 0, 0);
	asm.qwords('command', 0);
	// struct ethtool_ringparam: what the driver could do, which it knows, and what it is to do, of receiving and of sending.
	label('command');
	asm.dwords(ETHTOOL_SRINGPARAM, 0, 0, 0, 0, size, 0, 0, size);
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length, entry: origin});
}
