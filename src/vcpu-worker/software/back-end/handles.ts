import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {PartitionHandle, VcpuHandle} from '#vcpu-worker/hypervisor';
import type {ApicSpec} from '#vcpu-worker/software/local-apic';
import type {SharedParts} from '#vcpu-worker/software/shared';

/** Names this back end in handles and snapshots. */
export const softwareKind = 'software';

/** Handle of a partition for every thread of its machine: plain data and shared buffers. */
export interface SoftwarePartitionHandle extends PartitionHandle {
	readonly kind: typeof softwareKind;
	readonly shared: SharedParts;
	/** Of the store of the process, where there is one: see `Begins`. */
	readonly translated?: SharedArrayBuffer;
	/** See `LocalApics`. */
	readonly apics: SharedArrayBuffer;
	/** The table of the machine's routes: see `GsiTable`. */
	readonly gsis: SharedArrayBuffer;
	/** The clock of all processors: see `PartitionClock`. */
	readonly clock: SharedArrayBuffer;
	/** The kernel id of each processor's thread; 0 before it is known. */
	readonly tids: SharedArrayBuffer;
}

/** Handle that a processor's thread makes it from. */
export interface SoftwareVcpuHandle extends VcpuHandle, ApicSpec {
	readonly kind: typeof softwareKind;
	/** Its code is compared, and the partition told what differs. */
	readonly lockstep?: true;
	readonly cpuid: readonly CpuidEntry[];
	/** Frequency of its time-stamp counter; nanoseconds when absent. */
	readonly tscKhz?: number;
}
