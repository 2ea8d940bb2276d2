import type {GuestMemory} from '#devices/guest-memory';
import type {ErrorData} from '#support/errors';
import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import type {GeneralRegisters, ProcessorRegisters, RegisterChanges, SpecialRegisters} from '#vcpu-worker/registers';

/** Why the processor stopped executing guest code. */
export type ExitKind =
	/** Kicked, or a signal: nothing to serve. */
	| 'interrupted'
	/** Port access: see {@link CpuBackend.port}. */
	| 'port'
	/** Memory access outside RAM: see {@link CpuBackend.mmio}. */
	| 'mmio'
	/** Access to a model-specific register that the back end leaves to us: see {@link CpuBackend.msr}. */
	| 'msr-read'
	| 'msr-write'
	/** End of interrupt for a level-triggered input of an interrupt controller outside the back end. */
	| 'eoi'
	/** Triple fault. */
	| 'shutdown'
	/** Something a debugger may have asked for: see {@link CpuBackend.takeDebugExit}. */
	| 'debug'
	/** The back end asks for a machine reset or power-off on the guest's behalf. */
	| 'reset'
	| 'power-off'
	/** The back end cannot go on: see {@link CpuBackend.failure}. */
	| 'failed';

/** A port access: `count` items of `size` bytes (more than one for string I/O), read or answered one by one. */
export interface PortExit {
	readonly isWrite: boolean;
	readonly port: number;
	readonly size: 1 | 2 | 4;
	readonly count: number;
	/** The `index`th written item, unsigned. */
	read(index: number): number;
	/** Answers the `index`th item of a read. */
	write(index: number, value: number): void;
}

/** A memory access outside RAM. */
export interface MmioExit {
	readonly isWrite: boolean;
	/** Guest-physical address; exact, as x86 has at most 52 bits. */
	readonly address: number;
	/** Bytes, 1 to 8; not always a power of two. */
	readonly length: number;
	/** Part of a written value: `size` bytes from byte `offset` on, unsigned. */
	read(offset: number, size: 1 | 2 | 4): number;
	/** Part of the answer to a read. */
	write(offset: number, size: 1 | 2 | 4, value: number): void;
}

/** An access to a model-specific register. The value comes in halves, so that reading it allocates nothing. */
export interface MsrExit {
	readonly index: number;
	readonly low: number;
	readonly high: number;
	/** Answers a read. */
	answer(low: number, high: number): void;
	/** Accepts a write. */
	accept(): void;
	/** Makes the instruction fault in the guest (#GP). */
	refuse(): void;
}

/** A time-stamp counter at one moment. */
export interface CounterReading {
	readonly value: bigint;
	readonly khz: number;
}

/** How a processor goes on whose guest stood still. */
export interface Resumption {
	/** What its time-stamp counter shall be now. */
	readonly counter: bigint;
	/** By how much the first processor's counter moved: this one moves as far, whatever `counter`. */
	readonly shift?: bigint;
	/** How much of the guest's time passes at once, as it catches up, in nanoseconds. */
	readonly caughtUpNs: number;
}

/**
 * One virtual processor, as the run loop drives it. KVM is the first implementation. The exit objects are the same ones
 * on every exit and describe the last one only.
 */
export interface CpuBackend {
	/** Binds the processor to the calling thread. Call first. Returns the thread's id, for kicks. */
	prepareThread(): number;
	/** Ends the effect of earlier kicks. Kicks after this call end the next {@link run}. */
	clearKick(): void;
	/** Executes guest code until something needs service. Completes the previous exit first. */
	run(): ExitKind;
	/**
	 * Completes the previous exit without executing guest code. `interrupted` when that is done and the registers are
	 * those between two instructions; otherwise the access has a further part: serve it and call again.
	 */
	completeExit(): ExitKind;
	readonly port: PortExit;
	readonly mmio: MmioExit;
	readonly msr: MsrExit;
	/** Input whose interrupt ended, after `eoi`. */
	readonly eoiVector: number;
	/** What happened, after `failed`. */
	failure(): ErrorData;
	readGeneral(): GeneralRegisters;
	writeGeneral(registers: GeneralRegisters): void;
	readSpecial(): SpecialRegisters;
	writeSpecial(registers: SpecialRegisters): void;
	/** The guest can take an interrupt from the processor's pin, as of the last exit. */
	readonly readyForInterrupt: boolean;
	/** Ends the next run as soon as the guest can take an interrupt from the processor's pin. */
	requestInterruptWindow(wanted: boolean): void;
	/** Delivers the interrupt that the processor's pin announced. Once for each {@link readyForInterrupt}. */
	interrupt(vector: number): void;
	/** Delivers a non-maskable interrupt. */
	nmi(): void;
	/** What the back end knows beside the registers, as plain data for a person. Not while the guest runs. */
	details(): Readonly<Record<string, unknown>>;
	/** How to run for a debugger from now on; undefined: for none. */
	debug(plan: DebugPlan | undefined): void;
	/** After `debug`: what the plan asked for. Undefined: nothing; an exception of the guest's own has been given to it. */
	takeDebugExit(): DebugStop | undefined;
	/** The registers, for a debugger or a dump. */
	readRegisters(): ProcessorRegisters;
	writeRegisters(changes: RegisterChanges): void;
	/** The processor's state but its time-stamp counter, which runs through a reset, as data for {@link restore}. */
	save(): unknown;
	/** Restores what {@link save} gave. */
	restore(state: unknown): void;
	/** The time-stamp counter, and its frequency. Not while the guest runs. */
	readCounter(): CounterReading;
	/**
	 * Goes on after the guest stood still: its time-stamp counter is moved, and the guest told where it can be.
	 * @returns by how much the counter moved
	 */
	resume(resumption: Resumption, memory: GuestMemory): bigint;
	/**
	 * Everything that makes up the processor's state, as data that survives JSON.
	 * @param counter - what is saved as time-stamp counter; undefined: what it is
	 */
	toSnapshot(counter?: bigint): unknown;
	/**
	 * Takes what {@link toSnapshot} gave, which may have been made by anybody, on any host.
	 * @param counterShift - what the first processor's call returned, so that the time-stamp counters fit together
	 * @throws VmmError naming what is wrong with it, or what this host lacks
	 */
	fromSnapshot(saved: unknown, counterShift?: bigint): bigint;
}
