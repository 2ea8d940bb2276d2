export {
	type BackEndName,
	backEndHere,
	debugSupportHere,
	everyBackEnd,
	irqchipsHere,
	runsStockKernels,
	type X86BackEnd,
	x86BackEnds,
} from './back-ends.ts';
export {bringUpTest} from './bring-up.ts';
export {cleanBootTest} from './clean-boot.ts';
export {complaints} from './complaints.ts';
export {hasGdb, type RunningGdb, startGdb} from './gdb.ts';
export {hearButton, pressed, until, untilReadable, untilThere} from './guest-waits.ts';
export {moveTests, moveVm} from './moves.ts';
export {
	interruptCount,
	linuxReport,
	linuxTest,
	linuxVm,
	patience,
	reportedFacts,
	reportMemoryBytes,
	runInLinux,
} from './stock-linux.ts';
export {madeEarlier, openTestSnapshot, snapshotPlace} from './test-snapshot.ts';
export {debugExit, embedded, flagged, type TestVm} from './test-vm.ts';
export {type MachineOptions, type MakeMachine, machinesOn, vmTest} from './vm-test.ts';
