// UNSAFE-FFI: maps machine code and has the kernel call it.
import {constants} from 'node:os';
import type {ViewOf} from '#support/wire';
import {BusErrorTable, busErrorHandler, busErrorTableOffset, WatchedMemory} from './bus-error-handler.ts';
import {errnoName} from './errno.ts';
import {O, pipe} from './fd.ts';
import {koffi} from './koffi.ts';
import {libc} from './libc.ts';
import {mapMachineCode} from './machine-code.ts';

const cSigaction = libc('int sigaction(int signal, const void *action, void *old)');

const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
/** struct sigaction of glibc on x86-64: handler, mask of 128 bytes, flags, restorer. */
const sigactionBytes = 152;
const maskOffset = 8;
const flagsOffset = 136;

/** The most memories that are watched: V8 has address space for less. */
const mostEntries = 32_768;
const entriesOffset = busErrorTableOffset + BusErrorTable.byteLength;

/** Entry of a memory that is watched. */
export type WatchedEntry = ViewOf<typeof WatchedMemory>;

/** The bus errors of the process in memory that the calling thread has listed. */
export class BusErrors {
	/** Readable after a bus error in listed memory. */
	readonly wakeFd: number;
	readonly #memory: ArrayBuffer;
	readonly #table: ViewOf<typeof BusErrorTable>;
	readonly #free: WatchedEntry[] = [];

	/**
	 * Has {@link busErrorHandler} take the bus errors of the whole process, with a table of its own. What it had before follows it;
	 * it stays until the process ends, whatever becomes of the thread.
	 * @throws Error where the kernel does not let a program make code, as V8 does all the time
	 */
	constructor() {
		const length = entriesOffset + mostEntries * WatchedMemory.size;
		const address = checked('mmap', mapMachineCode(busErrorHandler(), busErrorTableOffset, length));
		// SAFETY: the view has the mapping's length, and nobody ever takes that away.
		this.#memory = koffi().view(BigInt(address), length);
		const ends = pipe(O.NONBLOCK);
		if (typeof ends === 'number') throw new Error(`pipe2: ${errnoName(ends)}`);
		this.wakeFd = ends[0];
		this.#table = BusErrorTable.on(this.#memory, busErrorTableOffset);
		this.#table.pipe = ends[1];
		this.#table.previous = this.#handle(address);
	}

	/** Lists memory. @param pageBytes - its smallest piece that can be mapped over */
	add(first: number, length: number, pageBytes: number): WatchedEntry {
		const entry = this.#free.pop() ?? this.#newEntry();
		entry.first = BigInt(first);
		entry.pageBytes = BigInt(pageBytes);
		entry.failed = 0n;
		// Last: from here on a handler may find it.
		entry.end = BigInt(first + length);
		return entry;
	}

	/** Takes memory off the list: a bus error in it is like any other again. */
	remove(entry: WatchedEntry): void {
		entry.end = 0n;
		this.#free.push(entry);
	}

	#newEntry(): WatchedEntry {
		const index = Number(this.#table.count);
		if (index === mostEntries) throw new RangeError(`${mostEntries} memories are watched already`);
		this.#table.count = BigInt(index + 1);
		return WatchedMemory.on(this.#memory, entriesOffset + index * WatchedMemory.size);
	}

	/** @returns the handler before it */
	#handle(address: number): bigint {
		const action = new Uint8Array(sigactionBytes);
		const view = new DataView(action.buffer);
		view.setBigUint64(0, BigInt(address), true);
		// No other handler runs in the middle of this one.
		action.fill(0xff, maskOffset, flagsOffset);
		view.setUint32(flagsOffset, SA_SIGINFO | SA_ONSTACK, true);
		const old = new Uint8Array(sigactionBytes);
		// SAFETY: the handler is complete; until it knows the one before it, which it does when this returns, that is SIG_DFL.
		checked('sigaction', cSigaction(constants.signals.SIGBUS, action, old));
		return new DataView(old.buffer).getBigUint64(0, true);
	}
}

function checked(call: string, result: number): number {
	if (result < 0) throw new Error(`${call}: ${errnoName(result)}`);
	return result;
}
