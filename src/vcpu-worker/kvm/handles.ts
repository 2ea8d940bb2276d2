import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {ApicMode, PartitionHandle, PartitionSpec, VcpuHandle} from '#vcpu-worker/hypervisor';
import {type ControlMemory, closeVcpu} from './vcpu.ts';

/** Handle of a partition for every thread of its machine: plain data and shared buffers. */
export interface KvmPartitionHandle extends PartitionHandle {
	readonly kind: 'kvm';
	readonly vmFd: number;
	/** Number of memory slots it can have. */
	readonly memorySlots: number;
	/** Memory that the pages of the vCPUs get mapped over, {@link runBytes} for each. */
	readonly runs: SharedArrayBuffer;
	readonly runBytes: number;
	/** The kernel id of each vCPU's thread, for kicks; 0 before it is known. */
	readonly tids: SharedArrayBuffer;
	/** The descriptor of each vCPU; 0 where there is none to be closed: see {@link endVcpu}. */
	readonly fds: SharedArrayBuffer;
	/** Owner of the PIC and I/O APIC; with the kernel's, their pins have routes of their own. */
	readonly irqchip: PartitionSpec['irqchip'];
	/** The table of the machine's routes. */
	readonly gsis: SharedArrayBuffer;
	/** MSRs of a vCPU's state on this host, and the size of its XSAVE area (KVM_GET_MSR_INDEX_LIST, `KVM_CAP_XSAVE2`). */
	readonly msrIndexes: readonly number[];
	readonly xsaveSize: number;
}

/** Handle that a vCPU's thread makes it from. */
export interface KvmVcpuHandle extends VcpuHandle {
	readonly kind: 'kvm';
	readonly index: number;
	/** Local APIC id, and KVM's vCPU id. */
	readonly apicId: number;
	readonly apicMode: ApicMode;
	readonly cpuid: readonly CpuidEntry[];
	/** Frequency of its time-stamp counter; the host's when absent. */
	readonly tscKhz?: number;
}

/** The memory of one vCPU's page. */
export const controlMemory = ({runs, runBytes}: KvmPartitionHandle, vcpu: number): ControlMemory => ({
	buffer: runs,
	byteOffset: runBytes * vcpu,
	byteLength: runBytes,
});

/** Ends a vCPU that has not been ended: on its own thread, or for one that has died or has not finished making it. */
export function endVcpu(partition: KvmPartitionHandle, vcpu: number): void {
	const fd = Atomics.exchange(new Int32Array(partition.fds), vcpu, 0);
	if (fd !== 0) closeVcpu(fd, controlMemory(partition, vcpu));
}
