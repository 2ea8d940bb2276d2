export {type CreateOptions, createVm} from './create-vm.ts';
export type {Vm, VmInspection} from './vm.ts';
export type {VmEnd, VmState} from './vm-end.ts';
