export {apicRegister, apicTimer, selfIpi, writeApic} from './apic-kernels.ts';
export {clockReader, clockRound} from './clock-kernels.ts';
export {awaitNmi, debugTarget, profileRounds, profileTarget} from './debug-kernels.ts';
export {
	halt,
	outLoop,
	type PortLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	rewriting,
	tripleFault,
	undefinedInstruction,
	userWork,
} from './kernels.ts';
export {
	exitCode,
	exitPort,
	longModeAddress,
	realModeAddress,
	selector,
	stackSize,
	stacks,
	userFlags,
} from './layout.ts';
export type {LongModeKit} from './long-mode.ts';
export {type MicroKernel, microKernel, realModeKernel, stackTop} from './micro-kernel.ts';
export {wrapForPvh} from './pvh-wrapper.ts';
export {emitTrampoline, startProcessor} from './start-processor.ts';
export {keeperCode, stateKeeper} from './state-kernels.ts';
