import type {VmmError} from '#support/errors';
import {checkPath} from '#support/options';
import {configError} from './errors.ts';
import type {ConfigHost} from './host.ts';
import {hugepageBytesOf, type MemoryConfig} from './memory-config.ts';
import {memoryConflicts} from './memory-option.ts';

/** The bounds of a machine's memory, in bytes. */
export const memoryLimits = {
	/** The first megabyte belongs to firmware tables: a machine needs something above it. */
	minBytes: 2 * 2 ** 20,
	/** Half of x86's 52 address bits, which leaves room for what lies between and above RAM. */
	maxBytes: 2 ** 51,
	/** One guest page. */
	alignBytes: 4096,
} as const;

/** Finds what is wrong with a machine's memory: its size alone, then its options, then against the host. */
export function checkMemory(memory: MemoryConfig, host: ConfigHost): VmmError[] {
	const problem = checkSize(memory.sizeBytes) ?? checkHostMemory(memory, host) ?? checkFile(memory, host);
	return [...(problem ? [problem] : []), ...memoryConflicts(memory)];
}

function checkFile({file, sizeBytes}: MemoryConfig, host: ConfigHost): VmmError | undefined {
	if (file === undefined) return undefined;
	const problem = checkPath(host, 'output', file, '--memory file');
	if (problem) return problem;
	const fileBytes = host.path(file).kind === 'missing' ? 0 : host.fileBytes(file);
	if (fileBytes !== 0 && fileBytes !== sizeBytes)
		return configError('CONFIG_MEMORY_FILE_SIZE', {file, fileBytes, sizeBytes});
	// No reservation, but what most often goes wrong: later it would cost the guest its life.
	const roomBytes = host.fileRoom(file);
	return roomBytes < sizeBytes ? configError('CONFIG_MEMORY_FILE_ROOM', {file, roomBytes, sizeBytes}) : undefined;
}

/** Checks an amount of memory by itself. */
export function checkSize(sizeBytes: number, alignBytes: number = memoryLimits.alignBytes): VmmError | undefined {
	const {minBytes, maxBytes} = memoryLimits;
	if (sizeBytes === 0) return configError('CONFIG_MEMORY_ZERO', {minBytes});
	if (!(sizeBytes >= minBytes)) return configError('CONFIG_MEMORY_TOO_SMALL', {sizeBytes, minBytes});
	if (sizeBytes > maxBytes) return configError('CONFIG_MEMORY_TOO_LARGE', {sizeBytes, maxBytes});
	if (sizeBytes % alignBytes !== 0) return configError('CONFIG_MEMORY_UNALIGNED', {sizeBytes, alignBytes});
	return undefined;
}

function checkHostMemory(memory: MemoryConfig, host: ConfigHost): VmmError | undefined {
	if (memory.hugepages) return checkHugepages(memory, host);
	const hostBytes = host.memoryBytes();
	// Pages of a file can go back to it, so a file may hold more than the host's memory.
	if (memory.file !== undefined || hostBytes === 0 || memory.sizeBytes <= hostBytes) return undefined;
	return configError('CONFIG_HOST_MEMORY_SHORT', {sizeBytes: memory.sizeBytes, hostBytes});
}

/** Checks huge pages for this memory on this host. */
export function checkHugepages(memory: MemoryConfig, host: ConfigHost): VmmError | undefined {
	const {sizeBytes} = memory;
	const pageBytes = hugepageBytesOf(memory);
	if (pageBytes === undefined) return undefined;
	const hostSizes = host.hugepageSizes();
	if (!hostSizes.includes(pageBytes)) return configError('CONFIG_HUGEPAGE_SIZE', {pageBytes, hostSizes});
	if (sizeBytes % pageBytes !== 0) return configError('CONFIG_MEMORY_UNALIGNED', {sizeBytes, alignBytes: pageBytes});
	const freePages = host.freeHugepages(pageBytes);
	if (freePages * pageBytes >= sizeBytes) return undefined;
	return configError('CONFIG_HUGEPAGES_SHORT', {sizeBytes, pageBytes, freePages});
}
