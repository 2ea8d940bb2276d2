import {errorTable} from '#support/errors';
import {formatBytes} from './format-bytes.ts';

/** A value that a configuration names: which, and how a person gave it. */
interface Named {
	/** The flag or field, as the reader wrote it: `--memory`. */
	readonly option: string;
}

/** A path that a configuration names. */
interface NamedPath extends Named {
	readonly path: string;
}

/** Everything that can be wrong with what a person or a program asked for. */
export const configError = errorTable({
	CONFIG_VALUE_INVALID: (c: Named & {value: string; expected: string}) => ({
		message: `${c.option} "${c.value}" is not valid`,
		remedy: `Give ${c.expected}`,
	}),
	CONFIG_KEY_UNKNOWN: (c: Named & {key: string; allowed: readonly string[]}) => ({
		message: `${c.option} has no key "${c.key}"`,
		remedy: `Allowed keys: ${c.allowed.join(', ')}`,
	}),
	CONFIG_KEY_REPEATED: (c: Named & {key: string}) => ({
		message: `${c.option} gives "${c.key}" twice`,
		remedy: `Give "${c.key}" once`,
	}),
	CONFIG_CONFLICT: (c: Named & {first: string; second: string; remedy: string}) => ({
		message: `${c.option}: ${c.first} conflicts with ${c.second}`,
		remedy: c.remedy,
	}),
	CONFIG_REQUIRES: (c: Named & {first: string; needed: string}) => ({
		message: `${c.option}: ${c.first} needs ${c.needed}`,
		remedy: `Add ${c.needed}, or leave out ${c.first}`,
	}),
	CONFIG_NUMBER_RANGE: (c: Named & {value: number; min: number; max: number}) => ({
		message: `${c.option} ${c.value} is out of range`,
		remedy: `Give a whole number from ${c.min} to ${c.max}`,
	}),
	CONFIG_MEMORY_ZERO: (c: {minBytes: number}) => ({
		message: 'Memory size 0 leaves nothing to run in',
		remedy: `Give at least ${formatBytes(c.minBytes)}, for example --memory 1G`,
	}),
	CONFIG_MEMORY_TOO_SMALL: (c: {sizeBytes: number; minBytes: number}) => ({
		message: `Memory size ${formatBytes(c.sizeBytes)} is below the smallest machine, ${formatBytes(c.minBytes)}`,
		remedy: 'Give more, for example --memory 64M (a number without a suffix counts bytes)',
	}),
	CONFIG_MEMORY_UNALIGNED: (c: {sizeBytes: number; alignBytes: number}) => ({
		message: `Memory size ${formatBytes(c.sizeBytes)} is not a multiple of ${formatBytes(c.alignBytes)}`,
		remedy: `Nearest: ${nearest(c.sizeBytes, c.alignBytes).map(formatBytes).join(' or ')}`,
	}),
	CONFIG_MEMORY_TOO_LARGE: (c: {sizeBytes: number; maxBytes: number}) => ({
		message: `Memory size ${formatBytes(c.sizeBytes)} is more than a machine can address, ${formatBytes(c.maxBytes)}`,
		remedy: 'Give less memory',
	}),
	CONFIG_MEMORY_FILE_SIZE: (c: {file: string; fileBytes: number; sizeBytes: number}) => ({
		message: `Memory file "${c.file}" holds ${formatBytes(c.fileBytes)}, the machine has ${formatBytes(c.sizeBytes)}`,
		remedy: `Give size=${formatBytes(c.fileBytes)}, or name a file that is new or empty`,
	}),
	CONFIG_HOST_MEMORY_SHORT: (c: {sizeBytes: number; hostBytes: number}) => ({
		message: `Memory size ${formatBytes(c.sizeBytes)} is more than the host has, ${formatBytes(c.hostBytes)} with swap`,
		remedy: 'Give less memory, or back it by a file: --memory size=…,file=PATH',
	}),
	CONFIG_HOST_MEMORY_PROCESSORS: (c: {count: number; neededBytes: number; hostBytes: number}) => ({
		message: `The threads of ${c.count} processors take ${formatBytes(c.neededBytes)}, and the host has ${formatBytes(c.hostBytes)} with swap`,
		remedy: 'Give fewer processors',
	}),
	CONFIG_HUGEPAGE_SIZE: (c: {pageBytes: number; hostSizes: readonly number[]}) => ({
		message: `The host has no huge pages of ${formatBytes(c.pageBytes)}`,
		remedy:
			c.hostSizes.length === 0
				? 'Leave out hugepages: this kernel has none'
				: `Use hugepage_size=${c.hostSizes.map(formatBytes).join(' or ')}, or leave out hugepages`,
	}),
	CONFIG_HUGEPAGES_SHORT: (c: {sizeBytes: number; pageBytes: number; freePages: number}) => ({
		message: `Memory size ${formatBytes(c.sizeBytes)} needs ${c.sizeBytes / c.pageBytes} huge pages of ${formatBytes(c.pageBytes)}, the host has ${c.freePages} free`,
		remedy: `Reserve more in /sys/kernel/mm/hugepages/hugepages-${c.pageBytes / 1024}kB/nr_hugepages, or leave out hugepages`,
	}),
	CONFIG_CONSOLE_TWICE: (c: {first: string; second: string}) => ({
		message: `${c.first} and ${c.second} both ask for the console`,
		remedy: `Bind one of them elsewhere, for example --${c.first} none`,
	}),
	CONFIG_PATH_MISSING: (c: NamedPath & {parent: string; found: string}) => ({
		message:
			c.found === 'directory'
				? `${c.option} "${c.path}" does not exist`
				: `${c.option} "${c.path}" does not exist: "${c.parent}" is a ${c.found}, not a directory`,
		remedy: 'Check the path',
	}),
	CONFIG_PATH_UNREACHABLE: (c: NamedPath & {errno: string}) => ({
		message: `${c.option} "${c.path}" cannot be reached: ${c.errno}`,
		remedy: 'Check the path and the permissions of its directories',
	}),
	CONFIG_PATH_EMPTY: (c: Named) => ({
		message: `${c.option} names no file`,
		remedy: `Give a path, or leave out ${c.option}`,
	}),
	CONFIG_PATH_NOT_FILE: (c: NamedPath & {found: string}) => ({
		message: `${c.option} "${c.path}" is a ${c.found}, not a file`,
		remedy: 'Name a regular file',
	}),
	CONFIG_PATH_NOT_SOCKET: (c: NamedPath & {found: string}) => ({
		message: `${c.option} "${c.path}" exists and is a ${c.found}, not a socket`,
		remedy: 'Name a path that is free, or remove what is there',
	}),
	CONFIG_PATH_PARENT: (c: NamedPath & {parent: string; found: string}) => ({
		message:
			c.found === 'missing'
				? `${c.option} "${c.path}" cannot be made: the directory "${c.parent}" does not exist`
				: `${c.option} "${c.path}" cannot be made: "${c.parent}" is a ${c.found}, not a directory`,
		remedy: c.found === 'missing' ? `Make it first: mkdir -p '${c.parent}'` : 'Name a path inside a directory',
	}),
	CONFIG_PATH_DENIED: (c: NamedPath & {access: 'read' | 'write'; denied: string}) => ({
		message: `${c.option} "${c.path}" cannot be ${c.access === 'read' ? 'read' : 'written'}: no permission on "${c.denied}"`,
		remedy: 'Change its permissions, or run as a user who has them',
	}),
});

function nearest(size: number, align: number): number[] {
	const below = Math.floor(size / align) * align;
	return [below, below + align].filter((value) => value > 0);
}
