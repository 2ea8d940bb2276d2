import type {ClockPolicy} from '#main/config';
import type {OpenSnapshot} from '#main/snapshot';
import type {MachineWorkers} from '#main/workers';
import type {OperationSignal} from '#support/abort';
import type {VmmError} from '#support/errors';
import type {Children} from '#support/inspect';
import type {CodeDifference, Hypervisor} from '#vcpu-worker/hypervisor';
import type {NoticeOfDevice} from './device-notices.ts';
import type {VmEnd} from './vm-end.ts';
import type {VmLimits} from './vm-limits.ts';

/** Resources that a machine runs on. The package's declarations leave it out of {@link CreateOptions}. */
export interface HostOptions {
	/** Threads started earlier; new ones are started where it has too few. */
	readonly stock?: MachineWorkers;
	/** Runs the guest, in place of the host's own. */
	readonly hypervisor?: Hypervisor;
	/** Limits of waiting for what may not come; see {@link VmLimits}. */
	readonly limits?: Partial<VmLimits>;
}

/** Choices of a machine's owner beyond its configuration. */
export interface CreateOptions {
	/** Gives up making the machine; what it has taken is given back. It has no meaning for a machine that is there. */
	readonly signal?: OperationSignal;
	/** Called with the bytes of memory committed so far, with `prefetch`. */
	readonly prefetched?: (doneBytes: number, totalBytes: number) => void;
	/** Called when the guest has ended and its action is `halt`: the machine stays, stopped, to be looked at or reset. */
	readonly halted?: (end: VmEnd) => void;
	/** Called when all processors have halted with interrupts off, once after each power-on. */
	readonly stuck?: () => void;
	/** Called when the guest has crashed, or has started again too often, and `crashDumpPath` is set: with what went wrong or why there is no dump, if so. */
	readonly crashDumped?: (path: string, error?: VmmError) => void;
	/** Called with what happened when a device has failed and `deviceFailure` lets the machine go on without it. */
	readonly deviceFailed?: (message: string) => void;
	/**
	 * Called with what happens to devices while the machine goes on, four times a second at most: an error of the host's that a disk has met, the latest of
	 * several; that the host does not answer a disk, and that it does again; what a network by the host's sockets has decided, alike at once and eight of others at most. What is left it is told when the machine ends. One with `pauses` has the machine pause, whether or not this is here.
	 */
	readonly deviceNoticed?: (notice: NoticeOfDevice) => void;
	/**
	 * Has the software processor compare what it makes of guest code with its interpreter, and is called with what differs, a hundred times at
	 * most: to look for errors of ours. For machines of one processor, which are ten to a hundred times as slow.
	 */
	readonly lockstep?: (difference: CodeDifference) => void;
	/**
	 * Time for which the device worker looks for work before it sleeps, in nanoseconds; the machine's devices then have a thread
	 * of their own.
	 */
	readonly pollNs?: number;
	/** Number of looks that a vCPU's thread takes at a mailbox reply before it sleeps. */
	readonly mailboxSpins?: number;
	/** @internal */
	readonly stock?: HostOptions['stock'];
	/** @internal */
	readonly hypervisor?: HostOptions['hypervisor'];
	/** @internal */
	readonly limits?: HostOptions['limits'];
	/** Further nodes at the root of the tree that {@link Vm.inspect} shows. */
	readonly inspect?: () => Children;
	/**
	 * Starts the machine as soon as its processors can run, while its devices' thread is still coming up. What devices
	 * cannot get is an error of {@link createVm} all the same; by then the guest has run for a moment.
	 */
	readonly start?: boolean;
	/** Called when the machine is made, before its guest can run. */
	readonly created?: () => void;
	/** The state to begin in, instead of power-on. The configuration has to be of the machine that was saved: see `restoredConfig`. */
	readonly snapshot?: OpenSnapshot;
	/**
	 * Policy of a restored guest's clocks at its first start: `catch-up` with the real time since the snapshot, without this; or
	 * `continue` where they were. An older snapshot than clocks can catch up with is the error VM_CLOCK_TOO_FAR.
	 */
	readonly clock?: ClockPolicy;
}
