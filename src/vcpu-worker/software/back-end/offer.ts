import type {ProcessorOffer} from '#vcpu-worker/hypervisor';
import {physicalAddressBits} from '#vcpu-worker/software/state';
import {offeredCpuid, onRequest} from './offered-cpuid.ts';

/** Offer of processors, before any policy. */
export const offer: ProcessorOffer = {
	cpuid: offeredCpuid,
	onRequest: Object.keys(onRequest),
	physicalAddressBits,
	limits: {maxVcpus: 1024, maxVcpuIds: 0x1_0000},
	saved: {bytes: 2 ** 16, values: 2 ** 10},
	tscDeadline: true,
	highestVtl: 0,
	hypercalls: true,
};
