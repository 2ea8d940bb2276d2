import type {DirtySource, MappedRange, PageWatchHandle} from '#devices/guest-memory';
import type {Vtl} from '#devices/processor';
import type {VmTime} from '#devices/vm-time';
import type {StateUnit} from '#support/state-units';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {DebugSupport} from '#vcpu-worker/debug';
import type {PartitionHandle, VcpuHandle} from './back-end.ts';

/** Limits of a partition's processors. */
export interface ProcessorLimits {
	readonly maxVcpus: number;
	/** First APIC id that is too large. */
	readonly maxVcpuIds: number;
}

/** The back end's offer of processors, before any policy. */
export interface ProcessorOffer {
	/** CPUID's possible answers. */
	readonly cpuid: readonly CpuidEntry[];
	/** Names of their features that a guest finds only where these, or a model with them, are asked for. */
	readonly onRequest?: readonly string[];
	/** Width of guest-physical addresses. */
	readonly physicalAddressBits: number;
	readonly limits: ProcessorLimits;
	/** The most that the state of one takes in a snapshot, as JSON text. */
	readonly saved: {readonly bytes: number; readonly values: number};
	/** The local APIC's timer can go by the time-stamp counter. */
	readonly tscDeadline: boolean;
	/** The highest trust level that processors can have. */
	readonly highestVtl: Vtl;
	/** A guest's VMCALL or VMMCALL comes through. */
	readonly hypercalls: boolean;
}

/** `xapic`: no x2APIC in CPUID; `x2apic-supported`: offered, off at reset; `x2apic-enabled`: on at reset. */
export type ApicMode = 'xapic' | 'x2apic-supported' | 'x2apic-enabled';

/** One processor to be. */
export interface VcpuSpec {
	/** From 0, which is the boot processor, without gaps. */
	readonly index: number;
	readonly apicId: number;
	/** The same for all processors of a machine. */
	readonly apicMode: ApicMode;
	/** Answers of CPUID. */
	readonly cpuid: readonly CpuidEntry[];
	/** Frequency of its time-stamp counter; the back end's own when absent. */
	readonly tscKhz?: number;
}

/** Consecutive model-specific registers. */
export interface MsrRange {
	readonly first: number;
	readonly count: number;
}

/** What a back end counts of a processor, for people. Some only grow, others say what there is now; some belong together. */
export interface VcpuCounters extends Readonly<Record<string, number | Readonly<Record<string, number>>>> {
	/** That have been executed. */
	readonly instructions: number;
}

/** A machine as the back end has it, on the owner's thread. */
export interface Partition {
	/** Makes any thread of the process attach. Can be cloned, unless all of the machine is on one thread. */
	readonly handle: PartitionHandle;
	readonly processor: ProcessorOffer;
	/** Whoever writes to RAM tells this, where processors remember it in another form. */
	readonly watch?: PageWatchHandle;
	/** Puts memory where nothing is mapped. It stays alive until {@link close}. @throws VmmError */
	map(range: MappedRange): void;
	/** Knows which pages the guest's own stores change, while somebody asks. After {@link close} it knows of none. */
	readonly dirty: DirtySource;
	/**
	 * Leaves these registers to the machine, also those that the back end could serve itself. Once, before the first processor.
	 * @throws VmmError
	 */
	interceptMsrs(ranges: readonly MsrRange[]): void;
	/**
	 * Makes the parts of the whole machine that the back end has and a snapshot keeps: clocks, interrupt controllers. Each call
	 * makes them anew, in their state at power-on.
	 * @param time - VM time, which guests' clocks go by
	 */
	units(time: VmTime): StateUnit[];
	/** Announces a processor, before any thread enters one. @throws VmmError */
	openVcpu(spec: VcpuSpec): VcpuHandle;
	/**
	 * A processor has opened a channel, which is now the partition's.
	 * @param port - this thread's end, a `MessagePort`: users of the package need no types of Node
	 */
	connected?(vcpu: number, port: object): void;
	/** Kernel id of the thread that has entered this vCPU; 0 before it is known. */
	threadOf(vcpu: number): number;
	/** Counters of a processor, at any time and without its thread; undefined where the back end keeps none. */
	readonly counters?: (vcpu: number) => VcpuCounters;
	/** The interrupt controllers and the timer as plain data for a person; undefined where they are not the back end's. */
	readonly inspectChips: (() => object) | undefined;
	/** Finds out what stops a guest for a debugger; may take milliseconds. @throws VmmError */
	debugSupport(): DebugSupport;
	/** Ends it, and processors that nobody has ended: of a thread that has died, or whose `enter` failed. No other is left. */
	close(): void;
}
