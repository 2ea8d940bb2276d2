import {readdirSync, readFileSync, statfsSync, statSync} from 'node:fs';
import {dirname} from 'node:path';
import {linuxPaths, type PathHost} from '#support/options';

/** Host facts that {@link checkConfig} asks for. */
export interface ConfigHost extends PathHost {
	/** Length of the file at `path` in bytes. */
	fileBytes(path: string): number;
	/** The most bytes that a file there can come to hold: what it has on its disk, and what is free; Infinity where nobody knows. */
	fileRoom(path: string): number;
	/** Memory and swap in bytes. */
	memoryBytes(): number;
	/** Sizes in bytes of the huge pages that this kernel can pool. */
	hugepageSizes(): readonly number[];
	/** Free pages in the pool of this size. */
	freeHugepages(pageBytes: number): number;
	/** NUMA nodes that have memory; empty where the kernel knows none. */
	memoryNodes(): readonly number[];
}

const hugepagesDirectory = '/sys/kernel/mm/hugepages';

/** The host this process runs on. */
export const linuxHost: ConfigHost = {
	...linuxPaths,
	fileBytes: (path) => statSync(path).size,
	fileRoom(path) {
		const file = statSync(path, {throwIfNoEntry: false});
		const {bavail, blocks, bsize} = statfsSync(file === undefined ? dirname(path) : path);
		// File systems without a size, such as a tmpfs with size=0, have no blocks.
		return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize + (file?.blocks ?? 0) * 512;
	},
	memoryBytes() {
		const text = readText('/proc/meminfo');
		const kibibytes = ['MemTotal', 'SwapTotal'].map((name) =>
			Number(new RegExp(`^${name}: *(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0),
		);
		return 1024 * kibibytes.reduce((sum, value) => sum + value, 0);
	},
	hugepageSizes() {
		try {
			const names = readdirSync(hugepagesDirectory);
			return names.map((name) => Number(/\d+/.exec(name)?.[0] ?? 0) * 1024).sort((a, b) => a - b);
		} catch {
			return [];
		}
	},
	freeHugepages(pageBytes) {
		return Number(readText(`${hugepagesDirectory}/hugepages-${pageBytes / 1024}kB/free_hugepages`));
	},
	memoryNodes() {
		// Ranges between commas, such as 0-1,4.
		return [...readText('/sys/devices/system/node/has_memory').matchAll(/(\d+)(?:-(\d+))?/g)].flatMap(
			([, first, last = first]) =>
				Array.from({length: Number(last) - Number(first) + 1}, (_, index) => Number(first) + index),
		);
	},
};

/** The file's text, or nothing where /proc or /sys is not mounted. */
function readText(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}
