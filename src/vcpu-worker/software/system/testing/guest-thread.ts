import {workerData} from 'node:worker_threads';
import {MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import type {SharedParts} from '#vcpu-worker/software/shared';
import {Processor, type ProcessorStop} from '../processor.ts';
import {announcing} from './announcing.ts';

/** A processor for a thread of its own: where it begins, in long mode at privilege 0. */
export interface GuestThread {
	readonly handle: MemoryHandle;
	readonly shared: SharedParts;
	/** Its number among the processors. */
	readonly self: number;
	readonly entry: number;
	readonly pageTables: number;
	/** Values of RAX, RCX, RDX, RBX, RSP and so on; zeros behind them. */
	readonly general: readonly bigint[];
	/** Threads that are ready, of how many; 1 ends them all. */
	readonly words: Int32Array;
}

/** What has become of it. */
export interface GuestEnd {
	readonly stop: ProcessorStop;
	readonly general: readonly bigint[];
	readonly vector: number;
	readonly rip: bigint;
}

/** Places in {@link GuestThread.words}. */
export const Gate = {ready: 0, all: 1, end: 2, words: 3} as const;

/** CR0: PE, MP, ET, NE, WP, PG; CR4: PAE; EFER: SCE, LME, LMA, NXE. */
const registers = {cr0: 0x8001_0033n, cr4: 0x20n, efer: 0xd01n};
/** 64-bit code, and writable data, both present and accessed. */
const codeAttributes = 0xa09b;
const dataAttributes = 0xc093;
const budget = 5000;

/** Makes the processor. */
export function processorOf({handle, shared, self, entry, pageTables, general}: GuestThread): Processor {
	const outside = {
		readPort: () => 0,
		writePort: () => {},
		cpuid: announcing(),
		counter: () => 0n,
		readMsr: () => undefined,
		writeMsr: () => false,
		readPriority: () => 0,
		writePriority: () => {},
		hypercall: () => undefined,
		moveCounter: () => {},
		random: () => 0n,
	};
	const devices = {read: () => 0xffff_ffff, write: () => {}};
	const processor = new Processor(new MappedMemory(handle), shared, self, devices, outside);
	const {state} = processor.core;
	Object.assign(state, registers, {rip: BigInt(entry), controlFlags: 2, cr3: BigInt(pageTables)});
	state.general.set(general);
	for (const [index, segment] of state.segments.entries()) {
		const attributes = index === 1 ? codeAttributes : dataAttributes;
		Object.assign(segment, {selector: 0, base: 0n, limit: 0xffff_ffff, attributes});
	}
	processor.changed();
	return processor;
}

/** Runs the guest to its HLT, or until the words say that it is enough. */
export function runGuest(guest: GuestThread): GuestEnd {
	const processor = processorOf(guest);
	const {words} = guest;
	Atomics.add(words, Gate.ready, 1);
	// All begin at the same time, as far as that can be.
	while (Atomics.load(words, Gate.ready) < Atomics.load(words, Gate.all));
	let stop: ProcessorStop = 'polled';
	while (stop === 'polled' && Atomics.load(words, Gate.end) === 0) stop = processor.run(budget);
	const {state} = processor.core;
	return {stop, general: [...state.general], vector: state.vector, rip: state.rip};
}

/** For `new Worker`: the guest that the worker's data say. */
export const guestOfWorker = (): GuestThread => workerData as GuestThread;
