import type {InterruptController} from '#devices/interrupts';
import type {Partition} from './partition.ts';

/** The kernel's interrupt controllers (PIC and I/O APIC) as the inputs that device lines drive. */
export function interruptController(partition: Partition): InterruptController {
	return {setLine: (gsi, asserted) => void partition.irqLine(gsi, asserted ? 1 : 0)};
}
