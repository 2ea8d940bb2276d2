import type {ProcessorOffer} from '#vcpu-worker/hypervisor';
import {hostFuses} from '#vcpu-worker/software/fuse-check';
import {physicalAddressBits} from '#vcpu-worker/software/state';
import {offeredCpuid, wholeLevel} from './offered-cpuid.ts';

/** Offer of processors, before any policy. */
export const offer: ProcessorOffer = {
	cpuid: offeredCpuid,
	get onRequest() {
		return hostFuses() ? [] : wholeLevel;
	},
	physicalAddressBits,
	limits: {maxVcpus: 1024, maxVcpuIds: 0x1_0000},
	saved: {bytes: 2 ** 16, values: 2 ** 10},
	tscDeadline: true,
	highestVtl: 0,
	hypercalls: true,
};
