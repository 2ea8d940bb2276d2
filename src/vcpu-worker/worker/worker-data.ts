import type {VcpuHandle} from '#vcpu-worker/hypervisor';
import type {MachineHandle} from '#vcpu-worker/machine';
import type {VcpuControlPlace} from '#vcpu-worker/protocol';

/** Start data of a vCPU's thread: plain data and shared buffers. */
export interface VcpuWorkerData extends MachineHandle {
	/** 0 is the boot processor. */
	readonly index: number;
	readonly vcpu: VcpuHandle;
	/** Control block that the thread shares with the machine's owner. */
	readonly control: VcpuControlPlace;
	/** Looks at a mailbox reply before sleeping. */
	readonly mailboxSpins: number;
}
