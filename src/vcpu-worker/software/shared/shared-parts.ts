import {type PageWatchHandle, watchedLinesBytes, watchLogBytes} from '#devices/guest-memory';
import {wideExchangeCode} from '#support/ffi';
import {
	allocateSharedPages,
	allocateSmallMemory,
	maxSharedPages,
	type SharedMemory,
	sharedPageSize,
} from '#support/shared-memory';
import {CpuState, memoryMap, Request} from '#vcpu-worker/software/state';
import {PrefixTable} from './prefix-table.ts';
import {processForms} from './process-forms.ts';
import {Rendezvous} from './rendezvous.ts';

const MiB = 1024 ** 2;
/**
 * Bytes for records of a machine's processors: each has its part, of which pages are committed when they are touched. A Debian with systemd
 * executes 40 MiB of them until all is up; where they have no room, all are decoded again and again.
 */
const recordBytes = {machine: 256 * MiB, most: 64 * MiB, least: 8 * MiB} as const;

/** Makes the memory that each of so many processors has for itself. */
function allocateCoreMemory(processors: number): SharedMemory {
	const part = Math.floor(recordBytes.machine / processors / MiB) * MiB;
	const bytes = Math.max(Math.min(part, recordBytes.most), recordBytes.least);
	return allocateSmallMemory((memoryMap.records + bytes) / sharedPageSize);
}

/** Memory that the processors of a machine share: plain data that structured clone can copy. */
export interface SharedParts {
	/** Each processor's own memory, which begins with its `CpuState`. */
	readonly memories: readonly SharedMemory[];
	/** See {@link Rendezvous}. */
	readonly epochs: SharedArrayBuffer;
	/** Forms of instructions that processors have met, each a {@link PrefixTable}: those of the process, and the machine's own, for other features. */
	readonly forms: readonly SharedMemory[];
	/** See `wideExchangeCode`; 0 where there is no such code, or nobody to exclude. */
	readonly wideExchange: number;
	/** Tells of writes to decoded code. */
	readonly watch: PageWatchHandle;
}

/** Makes it, on the thread that makes the machine. */
export function createSharedParts(processors: number): SharedParts {
	const memories = Array.from({length: processors}, () => allocateCoreMemory(processors));
	const byteOffset = CpuState.offset('request');
	return {
		memories,
		epochs: new SharedArrayBuffer(Rendezvous.byteLength(processors)),
		forms: [processForms(), PrefixTable.allocate()],
		wideExchange: processors > 1 ? wideExchangeCode() : 0,
		watch: {
			// For any RAM: pages are committed when they are touched.
			lines: allocateSharedPages(watchedLinesBytes(maxSharedPages)),
			log: new SharedArrayBuffer(watchLogBytes),
			watchers: memories.map((memory) => ({memory, byteOffset})),
			bit: Request.CODE,
		},
	};
}

/** The request words of all processors. */
export const requestWords = ({memories}: SharedParts): Int32Array[] =>
	memories.map(({buffer}) => new Int32Array(buffer, CpuState.offset('request'), 1));
