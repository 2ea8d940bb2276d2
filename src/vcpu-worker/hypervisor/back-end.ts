import type {PagesBackEnd} from '#devices/bar-pages';
import type {DoorbellBackEnd} from '#devices/doorbells';
import type {InterruptController} from '#devices/interrupts';
import type {CpuBackend, VcpuWiring} from './cpu-backend.ts';

/** A partition as the machine's threads are told of it. Opaque but for its kind. */
export interface PartitionHandle {
	/** Kind of the hypervisor: see `Hypervisor.kind`. */
	readonly kind: string;
	/** The back end itself, where all of the machine is on one thread: such a handle cannot be cloned. */
	readonly backEnd?: BackEnd;
}

/** A vCPU as its thread is told of it. Opaque but for its kind; can be cloned. */
export interface VcpuHandle {
	readonly kind: string;
}

/** A partition as one thread has it. */
export interface AttachedPartition {
	/** Inputs of the back end's interrupt controllers, and interrupts by message. */
	readonly interrupts: InterruptController;
	/** Signals descriptors for writes of the guest; without it the bus does all that. */
	readonly doorbells?: DoorbellBackEnd;
	/** Maps memory of PCI functions into the guest, while it runs; without it accesses come by the bus. */
	readonly pages?: PagesBackEnd;
	/** Makes a vCPU's thread go round its run loop once. Before that thread has entered it, its first round will do. */
	kick(vcpu: number): void;
}

/** The part of a back end that works on the machine's threads. */
export interface BackEnd {
	/** A thread keeps nothing of a vCPU that it has closed, and may run one of another machine. */
	readonly leavesThreadsClean?: true;
	/** Begins to load what {@link enter} needs, on a thread that will call it. */
	warm?(): Promise<void>;
	/** On any thread. */
	attach(handle: PartitionHandle): AttachedPartition;
	/** Makes the vCPU, on the thread that runs it from then on, and may load what no other thread needs. @throws VmmError; what there is then, the partition ends */
	enter(handle: PartitionHandle, vcpu: VcpuHandle, wiring: VcpuWiring): CpuBackend | Promise<CpuBackend>;
}
