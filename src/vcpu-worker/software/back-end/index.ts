/** The software processor behind the seam of hypervisors. */

export {keptBack, offeredCpuid, wholeLevel} from './offered-cpuid.ts';
export {software} from './software-hypervisor.ts';
