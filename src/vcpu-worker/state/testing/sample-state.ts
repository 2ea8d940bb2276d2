import type {ProcessorRegisters} from '#vcpu-worker/registers';
import {Msr} from '#vcpu-worker/registers';
import type {VcpuState} from '#vcpu-worker/state';

/** A processor with these registers of which nothing else is out of the ordinary. */
export function sampleState({general, special, fxsave, ymmHigh, kernelGsBase}: ProcessorRegisters): VcpuState {
	const image = new Uint8Array(832);
	image.set(fxsave);
	image.set(ymmHigh, 576);
	image[512] = 0b111;
	return {
		cpuid: [],
		general,
		special,
		xcr0: 0b111n,
		vector: {components: 0b111n, image},
		debug: {dr0: 0n, dr1: 0n, dr2: 0n, dr3: 0n, dr6: 0xffff_0ff0n, dr7: 0x400n},
		msrs: new Map([[Msr.IA32_KERNEL_GS_BASE, kernelGsBase]]),
		apic: new Uint8Array(1024),
		events: {
			exception: undefined,
			interrupt: undefined,
			shadow: {sti: false, movSs: false},
			nmi: {injected: false, pending: 0, masked: false},
			smm: {active: false, pending: false, insideNmi: false, latchedInit: false},
			startupVector: 0,
		},
		activity: 'running',
		clock: {khz: 1_000_000, counter: 0n},
	};
}
