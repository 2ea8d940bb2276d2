import type {SplitInterrupts} from '#devices/chipset/split-interrupts';
import type {CpuBackend} from '#vcpu-worker/hypervisor';

/**
 * Gives the PIC's interrupt to the boot processor when it can take one, and else asks to be told when it can. Called before
 * each entry.
 */
export function offerPicInterrupt(cpu: CpuBackend, chips: SplitInterrupts): void {
	if (chips.extInt && cpu.readyForInterrupt) cpu.interrupt(chips.acknowledge());
	cpu.requestInterruptWindow(chips.extInt);
}
