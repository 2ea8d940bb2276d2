import {getIrqchip, getPit, setIrqchip, setPit} from '#vcpu-worker/kvm';

/** The interrupt controllers and the timer that KVM emulates for the whole machine. */
export interface InterruptChips {
	/** Their state at power-on. Only while no vCPU runs. */
	reset(): void;
}

/** Remembers the chips' state now, right after their creation, as the one to reset to. */
export function kernelChips(vmFd: number): InterruptChips {
	const [irqchip, pit] = [getIrqchip(vmFd), getPit(vmFd)];
	return {
		reset: () => {
			setIrqchip(vmFd, irqchip);
			setPit(vmFd, pit);
		},
	};
}

/** In a split machine the chips are devices of ours and are reset with the others. */
export const noKernelChips: InterruptChips = {reset: () => {}};
