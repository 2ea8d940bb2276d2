import {pic8259Kind} from '#devices/chipset/pic-8259';
import {SplitInterrupts} from '#devices/chipset/split-interrupts';
import {MappedMemory, type MappedRange} from '#devices/guest-memory';
import {AttachedMachine, type MachineLayout} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import {interruptController, Partition} from '#vcpu-worker/kvm';

/** A machine over KVM as one thread has it. */
export interface HostedMachine {
	readonly machine: AttachedMachine;
	/** The interrupt controllers, where they are devices of ours and not the kernel's. */
	readonly split: SplitInterrupts | undefined;
}

/** What a thread needs to attach to a machine: plain data and shared buffers. */
export interface MachineHandle {
	readonly layout: MachineLayout;
	readonly memory: readonly MappedRange[];
	readonly vmFd: number;
}

/**
 * Attaches the calling thread to a machine, whose device modules it loads.
 * @param alertBootCpu - makes the boot processor look at its interrupt pin and at what devices request
 */
export async function attachMachine(
	{layout, memory, vmFd}: MachineHandle,
	alertBootCpu: () => void,
): Promise<HostedMachine> {
	const {findModel} = await loadDeviceModels(layout.modules);
	const kernel = interruptController(Partition.fromFd(vmFd));
	const isSplit = layout.devices.some(({kind}) => kind === pic8259Kind);
	const split = isSplit ? new SplitInterrupts({messages: kernel.messages, alertBootCpu}) : undefined;
	const interrupts = split ?? kernel;
	const machine = new AttachedMachine(layout, {
		findModel,
		interrupts,
		memory: new MappedMemory(memory),
		alertBootCpu,
	});
	split?.bind(machine);
	return {machine, split};
}
