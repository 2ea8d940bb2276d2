import {type PageWatchHandle, watchedLinesBytes, watchLogBytes} from '#devices/guest-memory';
import {allocateSharedPages, maxSharedPages, type SharedMemory} from '#support/shared-memory';
import {allocateCoreMemory} from '#vcpu-worker/software/interpreter';
import {CpuState, Request} from '#vcpu-worker/software/state';
import {Rendezvous} from './rendezvous.ts';

/** Memory that the processors of a machine share: plain data that structured clone can copy. */
export interface SharedParts {
	/** Each processor's own memory, which begins with its `CpuState`. */
	readonly memories: readonly SharedMemory[];
	/** See {@link Rendezvous}. */
	readonly epochs: SharedArrayBuffer;
	/** Tells of writes to decoded code. */
	readonly watch: PageWatchHandle;
}

/** Makes it, on the thread that makes the machine. */
export function createSharedParts(processors: number): SharedParts {
	const memories = Array.from({length: processors}, allocateCoreMemory);
	const byteOffset = CpuState.offset('request');
	return {
		memories,
		epochs: new SharedArrayBuffer(Rendezvous.byteLength(processors)),
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
