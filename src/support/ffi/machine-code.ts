// UNSAFE-FFI: maps machine code of our own.
import {libc} from './libc.ts';
import {Mmap} from './memory-map.ts';

const cMmap = libc(
	'intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
);
const cMemcpy = libc('intptr_t memcpy(uintptr_t target, const void *source, size_t length)');
const cMprotect = libc('int mprotect(uintptr_t address, size_t length, int protection)');

/**
 * Maps machine code, with zeroed memory of its own behind it, for as long as the process lives.
 * @param codeBytes - whole pages, in which the code is; they are written before they can be executed, and never again
 * @param length - of all of it
 * @returns the address, or the negated errno where the kernel does not let a program make code, as V8 does all the time
 */
export function mapMachineCode(code: Uint8Array, codeBytes: number, length = codeBytes): number {
	const flags = Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE;
	const address = cMmap(0, length, Mmap.PROT_READ | Mmap.PROT_WRITE, flags, -1, 0);
	if (address < 0) return address;
	// SAFETY: the pages are new, and nobody else knows of them.
	cMemcpy(address, code, Math.min(code.length, codeBytes));
	const result = cMprotect(address, codeBytes, Mmap.PROT_READ | Mmap.PROT_EXEC);
	return result < 0 ? result : address;
}
