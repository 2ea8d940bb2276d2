import {fstatSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import type {MappedRange} from '#devices/guest-memory';
import type {GuestRam} from '#main/memory';
import {byteCount, type Children, hex, leaf, object} from '#support/inspect';
import type {InspectedMachine} from './inspected-machine.ts';

/** `vm/memory`. */
export const memoryNodes = ({config, ram}: InspectedMachine): Children => {
	const fds = backingFds(ram);
	return {
		size: byteCount(config.memory.sizeBytes),
		backing: [...new Set(ram.banks.map(({backing}) => backing))].join(', '),
		// st_blocks counts 512 bytes whatever the file system's blocks are (stat(3type)).
		allocated:
			fds.length === 0 ? undefined : leaf(() => fds.reduce((sum, fd) => sum + allocatedBytes(fd), 0), {unit: 'bytes'}),
		ranges: object(() => {
			// Read once for all ranges, and not on this thread: the kernel walks the page tables for it.
			let maps: Promise<readonly Mapping[]> | undefined;
			const mappings = () => {
				maps ??= readFile('/proc/self/smaps', 'latin1').then(parseMappings);
				return maps;
			};
			return Object.fromEntries(ram.ranges.map((range, index) => [index, object(() => rangeNodes(range, mappings))]));
		}),
	};
};

/** Each backing once: all banks of a restored machine lie over the snapshot's one file. */
const backingFds = ({banks}: Pick<GuestRam, 'banks'>): number[] =>
	banks.flatMap(({fd, fdOffset}) => (fd === undefined || fdOffset > 0 ? [] : [fd]));

const rangeNodes = (
	{gpa, length, hostAddress}: MappedRange,
	mappings: () => Promise<readonly Mapping[]>,
): Children => ({
	address: hex(gpa),
	length: byteCount(length),
	hostAddress: leaf(() => BigInt(hostAddress), {sensitive: true}),
	resident: leaf(async () => residentBytes(await mappings(), hostAddress, length), {unit: 'bytes'}),
});

function allocatedBytes(fd: number): number {
	try {
		return fstatSync(fd).blocks * 512;
	} catch {
		// The machine has ended and closed it.
		return 0;
	}
}

interface Mapping {
	readonly start: number;
	readonly end: number;
	readonly residentBytes: number;
}

/** The mappings of proc_pid_smaps(5): a line with the addresses, then lines such as `Rss: 4 kB`. */
export function parseMappings(text: string): Mapping[] {
	const parts = text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
	return parts.flatMap((part) => {
		const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(part) ?? [];
		if (start === undefined || end === undefined) return [];
		const kib = Number(/^Rss:\s+(\d+) kB$/m.exec(part)?.[1] ?? 0);
		return [{start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), residentBytes: kib * 1024}];
	});
}

/** Guest pages that this process has in memory. A mapping over guest RAM holds nothing else. */
function residentBytes(mappings: readonly Mapping[], address: number, length: number): number {
	const end = address + length;
	return mappings
		.filter((mapping) => mapping.start >= address && mapping.end <= end)
		.reduce((sum, mapping) => sum + mapping.residentBytes, 0);
}
