import {writePvhElf} from '#flowey/embedded-guest';
import {createAssembler, dword, eax, edi, edx, esi, r8d, r9d, r10d, rax, rbx, rsi} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {READ: 0, WRITE: 1, MMAP: 9, EXIT: 60} as const;
const [PROT_READ_WRITE, MAP_SHARED] = [3, 1];
const [origin, bufferBytes, mappedFd, mappedBytes, shownBytes] = [0x40_0000, 16, 9, 8192, 4];

/**
 * Assembles a program for Linux, as Debian's busybox maps no file. It has the first 8192 bytes of descriptor 9 mapped (mmap(2), shared), says `mapped`, and keeps
 * them until its input ends. Then it shows the four bytes at their beginning, which it has not asked the file for, and writes `last` at 4096. The
 * status is 1 where they cannot be had.
 */
export function mapProgram(): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, test, js, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
	};
	xor(edi, edi);
	mov(esi, mappedBytes);
	mov(edx, PROT_READ_WRITE);
	mov(r10d, MAP_SHARED);
	mov(r8d, mappedFd);
	xor(r9d, r9d);
	invoke(Call.MMAP);
	test(rax, rax);
	js('refused');
	mov(rbx, rax);
	// Its page is there from now on.
	mov(eax, dword(rbx));
	mov(dword(rbx, 4096), eax);
	mov(edi, 1);
	mov(esi, 'word');
	mov(edx, 7);
	invoke(Call.WRITE);
	xor(edi, edi);
	mov(esi, 'buffer');
	mov(edx, bufferBytes);
	invoke(Call.READ);
	mov(edi, 1);
	mov(rsi, rbx);
	mov(edx, shownBytes);
	invoke(Call.WRITE);
	mov(dword(rbx, 4096), Buffer.from('last').readUInt32LE());
	xor(edi, edi);
	invoke(Call.EXIT);
	label('refused');
	mov(edi, 1);
	invoke(Call.EXIT);

	asm.align(8, 0);
	label('word');
	asm.dwords(0x7070_616d, 0x000a_6465);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}
