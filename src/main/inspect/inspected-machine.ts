import type {AttachedMachine} from '#devices/machine';
import type {VmConfig} from '#main/config';
import type {GuestRam} from '#main/memory';
import type {ReactorStateView} from '#support/reactor';
import type {Partition} from '#vcpu-worker/hypervisor';
import type {VcpuLatenciesView} from '#vcpu-worker/latency';
import type {CpuReport} from '#vcpu-worker/probe';
import type {VcpuControlView} from '#vcpu-worker/protocol';

/** A thread as inspect sees it. */
export interface InspectedThread {
	/** The part of its time, 0–1, that its event loop was not idle. */
	eventLoopUse(): number;
}

/** A vCPU as inspect sees it. */
export interface InspectedVcpu extends InspectedThread {
	readonly index: number;
	readonly control: VcpuControlView;
	readonly latencies: VcpuLatenciesView;
	report(): Promise<CpuReport>;
	sampleExits(every: number): void;
}

/** A thread that runs devices as inspect sees it. */
export interface InspectedDeviceThread extends InspectedThread {
	readonly reactor: ReactorStateView;
}

/** The devices' threads as inspect sees them. */
export interface InspectedDevices {
	/** The one with all devices first. */
	readonly threads: readonly InspectedDeviceThread[];
	/** Asks a device that the first thread owns for its own report. */
	inspect(name: string): Promise<object>;
}

/** Sources of a machine's tree. Everything in it is shared memory or answers within a call. */
export interface InspectedMachine {
	readonly config: VmConfig;
	readonly machine: AttachedMachine;
	readonly ram: Pick<GuestRam, 'ranges' | 'banks'>;
	readonly vcpus: readonly InspectedVcpu[];
	readonly devices: InspectedDevices;
	/** Hypervisor of the guest, and the reason for its choice. */
	readonly hypervisor: {readonly kind: string; readonly reason: string};
	/** Its chips may be asked for while the machine is not stopped. */
	readonly partition: Pick<Partition, 'handle' | 'processor' | 'threadOf' | 'counters' | 'inspectChips'>;
	state(): string;
	/** All processors were found halted with interrupts off. */
	isHalted(): boolean;
}
