import {type PageWatchHandle, watchedLinesBytes, watchLogBytes} from '#devices/guest-memory';
import {allocateSharedPages, maxSharedPages, type SharedMemory} from '#support/shared-memory';
import {CpuState, memoryMap, Request} from '#vcpu-worker/software/state';
import {Rendezvous} from './rendezvous.ts';

/** Node's part of the JavaScript API of WebAssembly; its types come with DOM only. */
declare const WebAssembly: {
	readonly Memory: new (descriptor: {initial: number; maximum: number; shared: true}) => SharedMemory;
};

/** Bytes for records. */
const recordBytes = 8 * 1024 ** 2;

/** Makes the memory that a processor has for itself. */
function allocateCoreMemory(): SharedMemory {
	const pages = (memoryMap.records + recordBytes) / 0x1_0000;
	return new WebAssembly.Memory({initial: pages, maximum: pages, shared: true});
}

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
