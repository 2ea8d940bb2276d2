export {hasGdb, type RunningGdb, startGdb} from './gdb.ts';
export {interruptCount, linuxReport, linuxTest, linuxVm, reportMemoryBytes, runInLinux} from './stock-linux.ts';
export {madeEarlier, openTestSnapshot, snapshotPlace} from './test-snapshot.ts';
export {debugExit, embedded, flagged, TestVm, testVm} from './test-vm.ts';
export {type BackEndName, type MachineOptions, type MakeMachine, vmTest} from './vm-test.ts';
