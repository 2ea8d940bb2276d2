import {workerData} from 'node:worker_threads';
import {MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import {requestWords, type SharedParts} from '#vcpu-worker/software/shared';
import {CpuState, Request} from '#vcpu-worker/software/state';
import {Processor, type ProcessorStop} from '../processor.ts';
import {announcing} from './announcing.ts';

/** A port by which a processor interrupts all others, and tables for the handler. */
export interface Doorbell {
	readonly port: number;
	readonly vector: number;
	/** Addresses of descriptor tables: two segments from selector 8 on, and 256 gates. */
	readonly gdt: number;
	readonly idt: number;
}

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
	readonly doorbell?: Doorbell | undefined;
}

/** What has become of it. */
export interface GuestEnd {
	readonly stop: ProcessorStop;
	readonly general: readonly bigint[];
	readonly vector: number;
	readonly rip: bigint;
}

/** Places in {@link GuestThread.words}; behind them a word for each processor, which is 1 where an interrupt waits. */
export const Gate = {ready: 0, all: 1, end: 2, words: 3} as const;
const requestWord = CpuState.word('request');

/** CR0: PE, MP, ET, NE, WP, PG; CR4: PAE; EFER: SCE, LME, LMA, NXE. */
const registers = {cr0: 0x8001_0033n, cr4: 0x20n, efer: 0xd01n};
/** 64-bit code, and writable data, both present and accessed. */
const codeAttributes = 0xa09b;
const dataAttributes = 0xc093;
const budget = 5000;

/** Makes the processor. */
export function processorOf(guest: GuestThread): Processor {
	const {handle, shared, self, entry, pageTables, general, doorbell} = guest;
	const outside = {
		readPort: () => 0,
		writePort: (port: number) => {
			if (port === doorbell?.port) ring(guest);
		},
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
	processor.reset(0, false);
	// Every other one translates what it executes, at once.
	processor.heat = self % 2 === 0 ? 1 : undefined;
	const {state} = processor.core;
	Object.assign(state, registers, {rip: BigInt(entry), controlFlags: 2, cr3: BigInt(pageTables)});
	state.general.set(general);
	for (const [index, segment] of state.segments.entries()) {
		const attributes = index === 1 ? codeAttributes : dataAttributes;
		const selector = doorbell === undefined || index === 0 || index > 2 ? 0 : index * 8;
		Object.assign(segment, {selector, base: 0n, limit: 0xffff_ffff, attributes});
	}
	if (doorbell !== undefined) {
		Object.assign(state.gdtr, {base: BigInt(doorbell.gdt), limit: 0x17});
		Object.assign(state.idtr, {base: BigInt(doorbell.idt), limit: 0xfff});
	}
	processor.changed();
	return processor;
}

/** Has an interrupt wait for all other processors. */
function ring({self, words, shared}: GuestThread): void {
	for (const [other, request] of requestWords(shared).entries()) {
		if (other === self) continue;
		Atomics.store(words, Gate.words + other, 1);
		Atomics.or(request, 0, Request.KICK);
	}
}

/** Delivers the interrupt that waits, as soon as the guest can take it. */
function attendDoorbell(processor: Processor, {self, words, doorbell}: GuestThread): void {
	if (doorbell === undefined) return;
	Atomics.and(processor.core.state.$atomic, requestWord, ~Request.KICK);
	processor.windowWanted = Atomics.load(words, Gate.words + self) === 1;
	if (!processor.windowWanted || !processor.canInterrupt) return;
	processor.windowWanted = false;
	Atomics.store(words, Gate.words + self, 0);
	processor.interrupt(doorbell.vector);
}

/** Runs the guest to its HLT, or until the words say that it is enough. */
export function runGuest(guest: GuestThread): GuestEnd {
	const processor = processorOf(guest);
	const {words} = guest;
	Atomics.add(words, Gate.ready, 1);
	// All begin at the same time, as far as that can be.
	while (Atomics.load(words, Gate.ready) < Atomics.load(words, Gate.all));
	let stop: ProcessorStop = 'polled';
	while ((stop === 'polled' || stop === 'window') && Atomics.load(words, Gate.end) === 0) {
		attendDoorbell(processor, guest);
		stop = processor.run(budget);
	}
	const {state} = processor.core;
	return {stop, general: [...state.general], vector: state.vector, rip: state.rip};
}

/** For `new Worker`: the guest that the worker's data say. */
export const guestOfWorker = (): GuestThread => workerData as GuestThread;
