import {koffi} from './koffi.ts';
import {addressOf, libc} from './libc.ts';

/** Protections and flags of mmap(2), Linux generic values. */
export const Mmap = {
	PROT_NONE: 0,
	PROT_READ: 1,
	PROT_WRITE: 2,
	PROT_EXEC: 4,
	SHARED: 0x01,
	PRIVATE: 0x02,
	FIXED: 0x10,
	ANONYMOUS: 0x20,
	NORESERVE: 0x4000,
} as const;

/** Advice of madvise(2). */
export const Advice = {DONTNEED: 4, REMOVE: 9, HUGEPAGE: 14, NOHUGEPAGE: 15, DONTDUMP: 16, POPULATE_WRITE: 23} as const;

/** Flags of memfd_create(2). */
export const Memfd = {CLOEXEC: 1, HUGETLB: 4, HUGE_2MB: 21 << 26, HUGE_1GB: 30 << 26} as const;

const cMmap = libc(
	'intptr_t mmap(uintptr_t address, size_t length, int protection, int flags, int fd, int64_t offset)',
);
const cMunmap = libc('int munmap(uintptr_t address, size_t length)');
/** The numbers of mbind(2), which libc has no function for. */
const mbindNumber = process.arch === 'arm64' ? 235 : 237;
const MPOL_BIND = 2;

const cMbind = libc(
	'long syscall(long number, uintptr_t address, size_t length, long mode, const void *nodes, size_t maxNode, long flags)',
);
const cMprotect = libc('int mprotect(uintptr_t address, size_t length, int protection)');
const cMadvise = libc('int madvise(uintptr_t address, size_t length, int advice)');
const cMemfd = libc('int memfd_create(const char *name, uint32_t flags)');
const cFtruncate = libc('int ftruncate(int fd, int64_t length)');

/**
 * Replaces the pages at `address` (mmap(2) with MAP_FIXED). 0 or the negated errno.
 * The caller owns the whole range.
 */
export function mapOver(
	address: bigint,
	length: number,
	options: {readonly protection: number; readonly flags: number; readonly fd: number; readonly offset?: number},
): number {
	// SAFETY: MAP_FIXED over memory that the caller's buffer owns; the buffer keeps the range alive.
	const {protection, flags, fd, offset = 0} = options;
	const result = cMmap(address, length, protection, flags | Mmap.FIXED, fd, offset);
	return result < 0 ? result : 0;
}

/** Memory that a file is mapped to, where the kernel has put it. */
export interface Mapping {
	readonly address: bigint;
	readonly buffer: ArrayBuffer;
}

/**
 * Maps a part of a file that has its own memory, shared, to be read and written (mmap(2)), or the negated errno. The buffer is what is there
 * until {@link unmap}, and must not be touched after it.
 */
export function mapFile(fd: number, offset: number, length: number): Mapping | number {
	const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
	const result = cMmap(0n, length, protection, Mmap.SHARED, fd, offset);
	if (result < 0) return result;
	const address = BigInt(result);
	// SAFETY: the kernel has just mapped as many bytes there.
	return {address, buffer: koffi().view(address, length)};
}

/** munmap(2). */
export const unmap = ({address, buffer}: Mapping): number => cMunmap(address, buffer.byteLength);

const pageBytes = 4096n;

/**
 * Makes the pages that lie wholly in a range read-only, mprotect(2): whoever writes to them after that ends the process.
 * 0 or the negated errno.
 */
export function makeReadOnly(address: bigint, length: number): number {
	const start = ((address + pageBytes - 1n) / pageBytes) * pageBytes;
	const end = ((address + BigInt(length)) / pageBytes) * pageBytes;
	// SAFETY: no page in the range holds anything but the caller's.
	return end > start ? cMprotect(start, Number(end - start), Mmap.PROT_READ) : 0;
}

/**
 * Gives back the memory of the pages that lie within a buffer, madvise(2) with MADV_DONTNEED: what is in them is zero afterwards. The
 * buffer stays what it is.
 */
export function discardPages(buffer: SharedArrayBuffer | ArrayBufferView): void {
	const address = addressOf(buffer);
	const start = ((address + pageBytes - 1n) / pageBytes) * pageBytes;
	const end = ((address + BigInt(buffer.byteLength)) / pageBytes) * pageBytes;
	// SAFETY: no page in the range holds anything but the buffer, whose bytes may become zero.
	if (end > start) cMadvise(start, Number(end - start), Advice.DONTNEED);
}

/** madvise(2). */
export const advise = (address: bigint, length: number, advice: number): number => cMadvise(address, length, advice);

/**
 * Has all pages at `address` that are still to come taken from one NUMA node of the host, mbind(2) with MPOL_BIND.
 * 0 or the negated errno.
 */
export function bindMemory(address: bigint, length: number, node: number): number {
	const nodes = new Uint8Array((Math.floor(node / 64) + 1) * 8);
	nodes[node >> 3] = 1 << (node & 7);
	// The kernel takes one bit less than it is told of (mbind(2), BUGS of get_mempolicy).
	return cMbind(mbindNumber, address, length, MPOL_BIND, nodes, nodes.length * 8 + 1, 0);
}

/** memfd_create(2). Returns the descriptor or the negated errno. */
export const memfdCreate = (name: string, flags: number): number => cMemfd(name, flags);

/** ftruncate(2). */
export const truncate = (fd: number, length: number): number => cFtruncate(fd, length);
