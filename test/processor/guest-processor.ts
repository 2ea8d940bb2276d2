import type {MicroKernel} from '#test/tmk';
import type {SharedParts} from '#vcpu-worker/software/shared';
import {type Outside, Processor} from '#vcpu-worker/software/system';
import {announcing, loneMemory} from '#vcpu-worker/software/system/testing';
import type {TranslationSource} from '#vcpu-worker/software/translation-store';

const usualRamBytes = 4 * 1024 ** 2;
/** CR0: PE, MP, ET, NE, WP, PG; CR4: PAE; EFER: SCE, LME, LMA, NXE. */
const registers = {cr0: 0x8001_0033n, cr4: 0x20n, efer: 0xd01n};
/** 64-bit code, and writable data, both present and accessed. */
const codeAttributes = 0xa09b;
const dataAttributes = 0xc093;

/** A write to a port. */
export interface PortWrite {
	readonly port: number;
	readonly value: number;
}

/** A software processor with RAM, and ports that remember what is written and read as zeros. */
export interface GuestProcessor {
	readonly processor: Processor;
	readonly ram: Uint8Array;
	readonly shared: SharedParts;
	readonly writes: readonly PortWrite[];
	/** Number of reads of ports. */
	reads: number;
	/** Makes another processor of the machine, by its number, for the same thread: it begins as the first one did. */
	readonly beside: (self: number) => Processor;
}

/** CR0 with ET, data of 64 KiB, and code of as much, as after reset. */
const realCr0 = 0x10n;
const realData = 0x93;
const realCode = 0x9b;

/** Distance of two readings of the time-stamp counter. */
const ticksEach = 1000n;

/** What a test's processor has otherwise. */
export interface GuestOptions {
	/** Answers of CPUID; where they are not given, all features that the processor has are announced. */
	readonly cpuid?: Outside['cpuid'];
	/** Serves VMCALL; there is nobody who does if nothing is said. */
	readonly hypercall?: Outside['hypercall'];
	/** Hears of each store behind the end of RAM. */
	readonly deviceWrite?: () => void;
	/** Source of its translations; its own if nothing is said. */
	readonly translations?: TranslationSource;
	/** Bytes of RAM, 4 MiB if nothing is said. */
	readonly ramBytes?: number;
	/** Processors of the machine, of which only the first one is made: with many each has less memory for itself. */
	readonly processors?: number;
}

/** Puts a kernel in memory and a processor at its entry, in the mode that it wants. */
export function startKernel(kernel: MicroKernel, options: GuestOptions = {}): GuestProcessor {
	let time = 0n;
	const {ram, memory, shared} = loneMemory(options.ramBytes ?? usualRamBytes, options.processors);
	ram.set(kernel.image, kernel.loadAddress);
	const writes: PortWrite[] = [];
	const outside = {
		readPort: () => {
			guest.reads++;
			return 0;
		},
		writePort: (port: number, _bytes: number, value: number) => void writes.push({port, value}),
		cpuid: options.cpuid ?? announcing(),
		counter: () => ++time * ticksEach,
		moveCounter: (by: bigint) => {
			time += by / ticksEach;
		},
		random: () => 0x1234_5678_9abc_def0n,
		readMsr: () => undefined,
		writeMsr: () => false,
		readPriority: () => 0,
		writePriority: () => {},
		hypercall: options.hypercall ?? (() => undefined),
	};
	const devices = {read: () => 0xffff_ffff, write: options.deviceWrite ?? (() => {})};
	const begin = (processor: Processor): Processor => {
		processor.reset(0, false);
		const {state} = processor.core;
		Object.assign(state, {rip: BigInt(kernel.entry), controlFlags: 2});
		state.idtr.limit = 0x3ff;
		const isLong = kernel.mode === 'long';
		if (isLong) Object.assign(state, registers, {cr3: BigInt(kernel.pageTables ?? 0)});
		else state.cr0 = realCr0;
		const [limit, code, data] = isLong ? [0xffff_ffff, codeAttributes, dataAttributes] : [0xffff, realCode, realData];
		for (const [index, segment] of state.segments.entries())
			Object.assign(segment, {selector: 0, base: 0n, limit, attributes: index === 1 ? code : data});
		processor.changed();
		return processor;
	};
	const guest: GuestProcessor = {
		processor: begin(new Processor(memory, shared, 0, devices, outside, options.translations)),
		ram,
		shared,
		writes,
		reads: 0,
		beside: (self) => begin(new Processor(memory, shared, self, devices, outside)),
	};
	return guest;
}
