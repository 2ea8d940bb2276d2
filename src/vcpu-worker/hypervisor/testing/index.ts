export {FakeHypervisor, firstVector, type Moment} from './fake-hypervisor.ts';
export {FakeVcpu, type VcpuMoment, type VcpuSurroundings} from './fake-vcpu.ts';
export {
	cpuid,
	type ExitStep,
	endOfInterrupt,
	faulted,
	Gate,
	type Guest,
	type GuestScript,
	type GuestStep,
	halt,
	hypercall,
	interruptsOn,
	load,
	rdmsr,
	readPort,
	relax,
	startProcessor,
	store,
	untilStarted,
	writePort,
	wrmsr,
} from './guest-script.ts';
export {PageGuards} from './page-guards.ts';
