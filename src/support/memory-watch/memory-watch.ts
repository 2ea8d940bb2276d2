import {BusErrors, type WatchedEntry} from '#support/ffi';

/** Memory of this process, by its host address. */
export interface HostMemory {
	readonly hostAddress: number;
	/** In bytes. */
	readonly length: number;
	/** Its smallest piece that can be mapped over: a page, or a huge page. */
	readonly pageBytes: number;
}

/** A watch over memory. */
export interface MemoryWatch extends Disposable {
	/**
	 * Host address of the last failure, or undefined. Known before the instruction that met it has been done, so before anything
	 * that follows from it.
	 */
	readonly failedAt: number | undefined;
}

/** Watches of this thread, and their bus errors. */
interface Watched {
	readonly errors: BusErrors;
	readonly watches: Set<{look(): void}>;
}

let watched: Watched | undefined;

/**
 * Keeps the process alive where the kernel has no page to put under memory when it is touched (SIGBUS): its file has been cut or cannot
 * be read, its file system or the pool of huge pages is used up, the host's memory is broken. Whoever touched it goes on, with a page
 * of zeros, which is what a hole of a file would have held, and not what was lost with a file. For x86-64.
 * @param failed - called once, on this thread, soon after that
 */
export function watchMemory(memories: readonly HostMemory[], failed: () => void): MemoryWatch {
	watched ??= beginToWatch();
	const {errors, watches} = watched;
	const entries = memories.map(({hostAddress, length, pageBytes}) => errors.add(hostAddress, length, pageBytes));
	const watch = {
		look() {
			if (failureOf(entries) === undefined) return;
			watches.delete(watch);
			failed();
		},
	};
	watches.add(watch);
	let last: number | undefined;
	return {
		get failedAt() {
			return last ?? failureOf(entries);
		},
		[Symbol.dispose]() {
			last = failureOf(entries);
			watches.delete(watch);
			for (const entry of entries.splice(0)) errors.remove(entry);
		},
	};
}

function failureOf(entries: readonly WatchedEntry[]): number | undefined {
	const entry = entries.find(({failed}) => failed !== 0n);
	return entry && Number(entry.failed);
}

function beginToWatch(): Watched {
	const errors = new BusErrors();
	const watches = new Set<{look(): void}>();
	const {Socket} = process.getBuiltinModule('node:net');
	const pipe = new Socket({fd: errors.wakeFd, readable: true, writable: false});
	pipe.on('data', () => {
		for (const watch of watches) watch.look();
	});
	pipe.unref();
	return {errors, watches};
}
