import {writePvhElf} from '#flowey/embedded-guest';
import {byte, createAssembler, eax, edi, edx, esi, qword, rbx, rsp} from '#flowey/x86-assembler';

/** Numbers of Linux's system calls (arch/x86/entry/syscalls/syscall_64.tbl). */
const Call = {READ: 0, WRITE: 1, EXIT: 60, FCNTL: 72, FLOCK: 73} as const;
const [F_SETLKW, F_WRLCK, LOCK_EX] = [7, 1, 2];
const [origin, bufferBytes, lockedFd] = [0x40_0000, 16, 9];

/**
 * Assembles a program for Linux, as Debian's busybox has none. `lock f` takes descriptor 9 with flock(2), and ends: the open file has the lock. `lock p` takes it with
 * fcntl(2), says `locked`, and keeps it until its input ends. Both wait for it; the status is 1 where it cannot be had.
 */
export function lockProgram(): Uint8Array {
	const asm = createAssembler({origin, bits: 64});
	const {mov, xor, cmp, test, je, jl, jne, syscall, label} = asm;
	const invoke = (number: number) => {
		mov(eax, number);
		syscall();
	};
	mov(rbx, qword(rsp, 16));
	mov(edi, lockedFd);
	cmp(byte(rbx), 'p'.charCodeAt(0));
	je('ranges');
	mov(esi, LOCK_EX);
	invoke(Call.FLOCK);
	test(eax, eax);
	jne('refused');
	xor(edi, edi);
	invoke(Call.EXIT);
	label('ranges');
	mov(esi, F_SETLKW);
	mov(edx, 'lock');
	invoke(Call.FCNTL);
	test(eax, eax);
	jl('refused');
	mov(edi, 1);
	mov(esi, 'word');
	mov(edx, 7);
	invoke(Call.WRITE);
	xor(edi, edi);
	mov(esi, 'buffer');
	mov(edx, bufferBytes);
	invoke(Call.READ);
	xor(edi, edi);
	invoke(Call.EXIT);
	label('refused');
	mov(edi, 1);
	invoke(Call.EXIT);

	asm.align(8, 0);
	// struct flock: all of the file.
	label('lock');
	asm.dwords(F_WRLCK, 0, 0, 0, 0, 0, 0, 0);
	label('word');
	asm.dwords(0x6b63_6f6c, 0x000a_6465);
	label('buffer');
	const {bytes} = asm.finish();
	return writePvhElf({bytes, loadAddress: origin, memorySize: bytes.length + bufferBytes, entry: origin});
}
