/**
 * A handler of SIGBUS in machine code (x86-64, System V ABI): no JavaScript can run on a thread that stands in the middle of an
 * instruction. It looks the address up in a table. Where that lists it, the page gets memory of its own, filled
 * with zeros, so that the instruction can be done again; the address is noted and a byte is written to a pipe. Anything else takes
 * the way that it took before there was this handler, which ends the process as a rule.
 *
 * It calls nothing but the kernel, uses only registers that a function may change, and reads what other threads change by
 * single words: so it can run on any thread at any moment.
 */
import {array, u32, u64, wire} from '#support/wire';

/** Memory in which a bus error is the owner's business: an entry of the table. */
export const WatchedMemory = wire('watched memory', {
	first: u64,
	/** 0 in an entry that is free: nothing lies below it. */
	end: u64,
	/** Smallest piece by which it can be mapped over. */
	pageBytes: u64,
	/** Address of the last bus error in it, or 0. */
	failed: u64,
});

/** Data of the handler, {@link busErrorTableOffset} behind its first byte, before the entries. */
export const BusErrorTable = wire('bus error table', {
	/** Entries that have been used so far. */
	count: u64,
	/** The pipe's end for writing. */
	pipe: u32,
	unused: u32,
	/** The handler before this one: an address, or SIG_DFL (0) or SIG_IGN (1). */
	previous: u64,
	/** The kernel's struct sigaction for SIG_DFL: handler, flags, restorer, mask. */
	standard: array(u64, 4),
	padding: u64,
});

/** Distance from the handler to its data: a page of the host's, so that the one is executable and the other is not. */
export const busErrorTableOffset = 4096;

/** Its bytes, and what they mean. */
export const busErrorHandlerListing = `
start:
	4c 8d 05 f9 0f 00 00  lea r8, [rip + table]
	83 7e 08 00           cmp dword ptr [rsi + 8], 0    # si_code: positive from the kernel only
	7e 6c                 jle others
	48 8b 46 10           mov rax, [rsi + 16]           # si_addr
	49 8b 08              mov rcx, [r8]                 # count
	4d 8d 48 40           lea r9, [r8 + 64]             # entries
next:
	48 83 e9 01           sub rcx, 1
	72 5b                 jb others
	49 3b 01              cmp rax, [r9]                 # first
	72 06                 jb skip
	49 3b 41 08           cmp rax, [r9 + 8]             # end
	72 06                 jb found
skip:
	49 83 c1 20           add r9, 32
	eb e9                 jmp next
found:
	49 89 41 18           mov [r9 + 24], rax            # failed
	49 8b 71 10           mov rsi, [r9 + 16]            # mmap: length, one page
	48 89 f7              mov rdi, rsi
	48 f7 df              neg rdi
	48 21 c7              and rdi, rax                  # address, down to a page's border
	ba 03 00 00 00        mov edx, 3                    # PROT_READ, PROT_WRITE
	41 ba 32 40 00 00     mov r10d, 0x4032              # MAP_PRIVATE, FIXED, ANONYMOUS, NORESERVE
	41 50                 push r8
	49 c7 c0 ff ff ff ff  mov r8, -1
	45 31 c9              xor r9d, r9d
	b8 09 00 00 00        mov eax, 9
	0f 05                 syscall
	41 58                 pop r8
	48 85 c0              test rax, rax
	78 20                 js die
	41 8b 78 08           mov edi, [r8 + 8]             # write: pipe, any byte
	4c 89 c6              mov rsi, r8
	ba 01 00 00 00        mov edx, 1
	b8 01 00 00 00        mov eax, 1
	0f 05                 syscall
	c3                    ret
others:
	49 8b 40 10           mov rax, [r8 + 16]            # previous
	48 83 f8 01           cmp rax, 1
	76 02                 jbe die
	ff e0                 jmp rax
die:
	bf 07 00 00 00        mov edi, 7                    # rt_sigaction: SIGBUS, standard
	49 8d 70 18           lea rsi, [r8 + 24]
	31 d2                 xor edx, edx
	41 ba 08 00 00 00     mov r10d, 8
	b8 0d 00 00 00        mov eax, 13
	0f 05                 syscall
	b8 27 00 00 00        mov eax, 39                   # getpid
	0f 05                 syscall
	89 c7                 mov edi, eax                  # kill: one that was sent is not repeated by the return
	be 07 00 00 00        mov esi, 7
	b8 3e 00 00 00        mov eax, 62
	0f 05                 syscall
	c3                    ret
`;

/** The machine code of {@link busErrorHandlerListing}. */
export const busErrorHandler = (): Uint8Array =>
	Uint8Array.from(
		[...busErrorHandlerListing.matchAll(/^\t((?:[0-9a-f]{2} )+)/gm)]
			.flatMap(([, row = '']) => row.trim().split(' '))
			.map((digits) => Number.parseInt(digits, 16)),
	);
