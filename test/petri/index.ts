export {hasGdb, type RunningGdb, startGdb} from './gdb.ts';
export {linuxTest, linuxVm, runInLinux} from './stock-linux.ts';
export {embedded, TestVm, testVm} from './test-vm.ts';
