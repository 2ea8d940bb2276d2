import {hugepageBytesOf, type MemoryConfig} from '#main/config';
import {close, duplicate, Memfd, memfdCreate, O, open, truncate} from '#support/ffi';
import {memoryError} from './errors.ts';

/** A descriptor whose bytes are the guest's RAM, first range first. */
export interface Backing {
	readonly fd: number;
	/** Name in errors and inspect. */
	readonly what: string;
}

/** Opens what `config` asks to have under the guest's RAM; undefined for private anonymous pages. */
export function openBacking(config: MemoryConfig): Backing | undefined {
	if (config.file !== undefined) return fileBacking(config.file, config.sizeBytes);
	const pageBytes = hugepageBytesOf(config);
	if (pageBytes !== undefined) return hugePageBacking(config.sizeBytes, pageBytes);
	if (config.shared) return sized(memfdCreate('openvmm-ram', Memfd.CLOEXEC), config.sizeBytes, 'shared memory');
	return undefined;
}

/** A file that holds RAM's first contents, range after range, and is never written. */
export interface RamContents {
	readonly fd: number;
	/** Name in errors and inspect. */
	readonly what: string;
}

/** The contents under a descriptor of this machine's own: the file may be closed and stays open. */
export function copyBacking({fd, what}: RamContents, sizeBytes: number): Backing {
	const own = duplicate(fd);
	if (own < 0) throw memoryError('MEMORY_BACKING_FAILED', {what, sizeBytes, errno: own});
	return {fd: own, what: `private copies of ${what}`};
}

function fileBacking(path: string, sizeBytes: number): Backing {
	const fd = open(path, O.RDWR | O.CREAT, 0o600);
	if (fd < 0) throw memoryError('MEMORY_FILE_UNUSABLE', {path, errno: fd});
	const errno = truncate(fd, sizeBytes);
	if (errno >= 0) return {fd, what: path};
	close(fd);
	throw memoryError('MEMORY_FILE_UNUSABLE', {path, errno});
}

function hugePageBacking(sizeBytes: number, pageBytes: number): Backing {
	// The page size's logarithm goes into bits 26-31 of the flags (memfd_create(2), MFD_HUGE_2MB).
	const flags = Memfd.CLOEXEC | Memfd.HUGETLB | (Math.log2(pageBytes) << 26);
	const fd = memfdCreate('openvmm-ram', flags >>> 0);
	const errno = fd < 0 ? fd : truncate(fd, sizeBytes);
	if (errno >= 0) return {fd, what: 'huge pages'};
	if (fd >= 0) close(fd);
	throw memoryError('MEMORY_HUGEPAGES_UNAVAILABLE', {sizeBytes, pageBytes, errno});
}

function sized(fd: number, sizeBytes: number, what: string): Backing {
	const errno = fd < 0 ? fd : truncate(fd, sizeBytes);
	if (errno >= 0) return {fd, what};
	if (fd >= 0) close(fd);
	throw memoryError('MEMORY_BACKING_FAILED', {what, sizeBytes, errno});
}
