export {embedded, TestVm, testVm} from './test-vm.ts';
