import {pic8259Kind} from '#devices/chipset/pic-8259';
import {SplitInterrupts} from '#devices/chipset/split-interrupts';
import {MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import {AttachedMachine, type MachineLayout} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import {backEndOf} from '#vcpu-worker/back-ends';
import type {AttachedPartition, PartitionHandle} from '#vcpu-worker/hypervisor';

/** A machine as one thread has it. */
export interface HostedMachine {
	readonly machine: AttachedMachine;
	readonly memory: MappedMemory;
	/** The interrupt controllers, where they are devices of ours and not the back end's. */
	readonly split: SplitInterrupts | undefined;
	readonly partition: AttachedPartition;
}

/** Handle that a thread attaches to a machine by: plain data and shared buffers. */
export interface MachineHandle {
	readonly layout: MachineLayout;
	readonly memory: MemoryHandle;
	readonly partition: PartitionHandle;
}

/** Choices of a thread that attaches. */
export interface AttachOptions {
	/**
	 * The boot processor is to look at its interrupt pin and at what devices request, when this thread has changed them. Not its
	 * own thread, which looks before each entry, nor one that touches devices only while no vCPU runs.
	 */
	readonly alertsBootCpu: boolean;
	/** See `MachineHost.isShared`. */
	readonly isShared?: boolean;
	/** The processor that this is the thread of. */
	readonly vp?: number;
	/** The partition, where the thread has attached to it already. */
	readonly partition?: AttachedPartition;
}

/** Attaches the calling thread to a machine, whose device modules it loads. */
export async function attachMachine(
	{layout, memory: memoryHandle, partition: handle}: MachineHandle,
	{alertsBootCpu, isShared = false, vp, partition: attached}: AttachOptions,
): Promise<HostedMachine> {
	const [{findModel}, backEnd] = await Promise.all([loadDeviceModels(layout.modules), backEndOf(handle)]);
	const partition = attached ?? backEnd.attach(handle);
	const alertBootCpu = alertsBootCpu ? () => partition.kick(0) : () => {};
	const isSplit = layout.devices.some(({kind}) => kind === pic8259Kind);
	const {messages} = partition.interrupts;
	const split = isSplit ? new SplitInterrupts({messages, alertBootCpu}) : undefined;
	const memory = new MappedMemory(memoryHandle);
	const machine = new AttachedMachine(layout, {
		findModel,
		interrupts: split ?? partition.interrupts,
		memory,
		...(partition.doorbells && {doorbells: partition.doorbells}),
		...(partition.pages && {pages: partition.pages}),
		alertBootCpu,
		isShared,
		...(vp !== undefined && {vp}),
	});
	split?.bind(machine);
	return {machine, memory, split, partition};
}
