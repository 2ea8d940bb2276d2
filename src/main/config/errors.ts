import {errorTable} from '#support/errors';
import {type Named, optionMessages} from '#support/options';
import {formatBytes} from './format-bytes.ts';

/** Everything that can be wrong with what a person or a program asked for. */
export const configError = errorTable({
	...optionMessages,
	CONFIG_CONFLICT: (c: Named & {first: string; second: string; remedy: string}) => ({
		message: `${c.option}: ${c.first} conflicts with ${c.second}`,
		remedy: c.remedy,
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
	CONFIG_MEMORY_FILE_ROOM: (c: {file: string; roomBytes: number; sizeBytes: number}) => ({
		message: `Memory file "${c.file}" can come to hold ${formatBytes(wholeMiB(c.roomBytes))} on its file system, the machine has ${formatBytes(c.sizeBytes)}`,
		remedy: 'Give less memory, make room there, or name a file elsewhere',
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
	CONFIG_CPU_MODEL: (c: {model: string; near: string | undefined; known: readonly string[]}) => ({
		message: `--cpu: there is no model "${c.model}"`,
		remedy: `${c.near === undefined ? '' : `Did you mean ${c.near}? `}There are ${c.known.join(', ')}`,
	}),
	CONFIG_CPU_FEATURE: (c: {name: string; near: string | undefined}) => ({
		message: `--cpu: there is no feature "${c.name}"`,
		remedy: `${c.near === undefined ? '' : `Did you mean ${c.near}? `}\`openvmm help --cpu\` lists them`,
	}),
	CONFIG_CPU_DECIDED: (c: {name: string; by: string}) => ({
		message: `--cpu does not decide about ${c.name}: ${c.by} does`,
		remedy: `Leave it out of --cpu`,
	}),
	CONFIG_DEVICE_KIND: (c: {kind: string}) => ({
		message: `No device of the kind ${c.kind} can be asked for`,
		remedy: 'The reference page on devices lists the kinds; a device of your own is asked for by its module',
	}),
	CONFIG_CONSOLE_TWICE: (c: {first: string; second: string}) => ({
		message: `${c.first} and ${c.second} both ask for the console`,
		remedy: `Bind one of them elsewhere, for example to none or to a file`,
	}),
});

const wholeMiB = (bytes: number) => bytes - (bytes % 2 ** 20);

function nearest(size: number, align: number): number[] {
	const below = Math.floor(size / align) * align;
	return [below, below + align].filter((value) => value > 0);
}
