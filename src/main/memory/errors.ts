import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

/** Errors of the host's giving guest memory. `errno` is negated, as the FFI returns it. */
export const memoryError = errorTable({
	MEMORY_ADDRESS_SPACE_EXHAUSTED: (c: {sizeBytes: number}) => ({
		message: `The host has no address space left for ${gib(c.sizeBytes)} of guest memory`,
		remedy: 'Give the guest less memory (--memory), or raise the limit on virtual memory (ulimit -v)',
	}),
	MEMORY_BACKING_FAILED: (c: {what: string; sizeBytes: number; errno: number}) => ({
		message: `Cannot back ${gib(c.sizeBytes)} of guest memory with ${c.what}: ${errnoName(c.errno)}`,
		remedy: 'Give the guest less memory (--memory), or see `openvmm doctor` for what this host has',
	}),
	MEMORY_HUGEPAGES_UNAVAILABLE: (c: {sizeBytes: number; pageBytes: number; errno: number}) => ({
		message: `The host cannot give ${Math.ceil(c.sizeBytes / c.pageBytes)} huge pages of ${c.pageBytes / 2 ** 20} MiB: ${errnoName(c.errno)}`,
		remedy: `Reserve them (sysctl vm.nr_hugepages=${Math.ceil(c.sizeBytes / c.pageBytes)}), or drop hugepages from --memory`,
	}),
	MEMORY_NODE_UNAVAILABLE: (c: {node: number; sizeBytes: number; errno: number}) => ({
		message: `The host cannot bind ${gib(c.sizeBytes)} of guest memory to its NUMA node ${c.node}: ${errnoName(c.errno)}`,
		remedy:
			'Name a node of /sys/devices/system/node/has_memory that this process may use (cpuset), or leave out host_numa_node',
	}),
	MEMORY_LOST: (c: {gpa: number; what: string; cause: string}) => ({
		message: `Guest memory at 0x${c.gpa.toString(16)} is gone, which was ${c.what}: ${c.cause}`,
		remedy:
			'Leave files under guest memory alone, with room on their disk, or take it all at the start: --memory prefetch',
	}),
	MEMORY_FILE_UNUSABLE: (c: {path: string; errno: number}) => ({
		message: `Guest memory file ${c.path} cannot be used: ${errnoName(c.errno)}`,
		remedy: 'Name a file you may write to, on a file system with room for the guest memory',
	}),
});
