import type {GuestMemory, MappedMemory} from '#devices/guest-memory';
import type {HypercallBus, IoBus, MsrBus} from '#devices/io-bus';
import type {GeneralRegisters, SpecialRegisters, TrustLevels} from '#devices/processor';
import type {ErrorData} from '#support/errors';
import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import type {VcpuState} from '#vcpu-worker/state';

/** Buses that a vCPU's accesses lead to. */
export interface VcpuWiring {
	/** Ports, and memory outside RAM. */
	readonly bus: IoBus;
	/** Model-specific registers that the back end does not serve itself. */
	readonly msrs: MsrBus;
	/** Hyper-V's hypercalls, where the back end leaves them to the machine, and what trust levels forbid each other. */
	readonly hypercalls: HypercallBus;
	/** All of RAM, as the processor's thread has it. */
	readonly memory: MappedMemory;
	/** Begins an access that a back end serves within {@link CpuBackend.run}. @returns what {@link served} is to be told */
	began(): number;
	/**
	 * Counts an access that a back end has served within {@link CpuBackend.run}, on the buses.
	 * @returns whether the run is to end where the processor can stop: something waits for the run loop
	 */
	served(kind: 'port' | 'mmio' | 'msr', began: number): boolean;
	/** Opens a channel to the partition: see `Partition.connected`. @returns this thread's end, a `MessagePort` */
	connect(): object;
	/** An interrupt with this vector has ended, which is level-triggered at an I/O APIC outside the back end. */
	endOfInterrupt(vector: number): void;
}

/** Reason for the processor's stop to execute guest code. */
export type ExitKind =
	/** Kicked, or a signal: nothing to serve. */
	| 'interrupted'
	/** An access to a port, to memory outside RAM, or to a model-specific register: {@link CpuBackend.serve} it. */
	| 'port'
	| 'mmio'
	| 'msr'
	/** The end of a level-triggered interrupt of an I/O APIC outside the back end: {@link CpuBackend.serve} it. */
	| 'eoi'
	/** A hypercall, or an access that the guest's trust level may not make: {@link CpuBackend.serve} it. */
	| 'hypercall'
	| 'intercept'
	/** Triple fault. */
	| 'shutdown'
	/** Something a debugger may have asked for: see {@link CpuBackend.takeDebugExit}. */
	| 'debug'
	/** The back end asks for a machine reset or power-off on the guest's behalf. */
	| 'reset'
	| 'power-off'
	/** There is nothing to do until somebody kicks, and the thread is not the processor's own: see {@link CpuBackend.kicked}. */
	| 'parked'
	/** The back end cannot go on: see {@link CpuBackend.failure}. */
	| 'failed';

/** A time-stamp counter at one moment. */
export interface CounterReading {
	readonly value: bigint;
	readonly khz: number;
}

/** Clocks of a processor that goes on after its guest stood still. */
export interface Resumption {
	/** Value of its time-stamp counter from now on. */
	readonly counter: bigint;
	/** Distance that the first processor's counter moved: this one moves as far, whatever `counter`. */
	readonly shift?: bigint;
	/** Time of the guest that passes at once, as it catches up, in nanoseconds. */
	readonly caughtUpNs: number;
}

/** Place of a processor in its guest's code, as a profile has it. */
export interface ProcessorPlace {
	/**
	 * Linear address of the instruction that it was executing when it was asked to stop, where that is not the one at RIP. A back end that
	 * stops at the ends of blocks only tells the last instruction of the block.
	 */
	readonly executed?: bigint;
	/** It waits for an interrupt, or to be started. */
	readonly isWaiting: boolean;
}

/** One virtual processor, as the run loop drives it on the thread that has entered it (`BackEnd.enter`). */
export interface CpuBackend {
	/** Its trust levels; without it there is level 0 only. */
	readonly levels?: TrustLevels;
	/** Leads accesses elsewhere from now on: devices have come or gone. Not while the guest runs. */
	connect(wiring: VcpuWiring): void;
	/** Ends the effect of earlier kicks. Kicks after this call end the next {@link run}. */
	clearKick(): void;
	/**
	 * Executes guest code until something is to be done for it. Completes the previous exit first. A back end that can serve accesses amid
	 * that does so, and goes on: see `VcpuWiring.served`.
	 */
	run(): ExitKind;
	/** Does what the exit before calls for, on the buses that the processor is wired to. */
	serve(): void;
	/** After `parked`: resolves at the next kick, at once where it has come already. */
	kicked?(): Promise<void>;
	/**
	 * Completes the previous exit without executing guest code. `interrupted` when that is done and the registers are
	 * those between two instructions; otherwise the access has a further part: serve it and call again.
	 */
	completeExit(): ExitKind;
	/** Tells what happened, after `failed`. */
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
	/** Tells what the back end knows beside the registers, as plain data for a person. Not while the guest runs. */
	details(): Readonly<Record<string, unknown>>;
	/** Tells where it is in its guest's code. Takes microseconds. Not while the guest runs. */
	place(): ProcessorPlace;
	/** Sets the debugger's plan for runs from now on; undefined: without one. */
	debug(plan: DebugPlan | undefined): void;
	/** After `debug`: what the plan asked for. Undefined: nothing; an exception of the guest's own has been given to it. */
	takeDebugExit(): DebugStop | undefined;
	/** The registers, for a debugger or a dump. */
	readRegisters(): ProcessorRegisters;
	writeRegisters(changes: RegisterChanges): void;
	/** Gives the processor the state in which it was entered, but for its time-stamp counter, which runs on. */
	reset(): void;
	/** The time-stamp counter, and its frequency. Not while the guest runs. */
	readCounter(): CounterReading;
	/**
	 * Goes on after the guest stood still: its time-stamp counter is moved, and the guest told where it can be.
	 * @returns by how much the counter moved
	 */
	resume(resumption: Resumption, memory: GuestMemory): bigint;
	/**
	 * Everything that makes up the processor. Not while the guest runs.
	 * @param counter - what is saved as time-stamp counter; undefined: what it is
	 */
	save(counter?: bigint): VcpuState;
	/**
	 * Takes a state, perhaps of another back end on another host, before the first run.
	 * @param counterShift - what the first processor's call returned, so that the time-stamp counters fit together
	 * @throws VmmError naming what this processor lacks
	 */
	restore(state: VcpuState, counterShift?: bigint): bigint;
	/** Ends the processor, which does not run. */
	close(): void;
}
