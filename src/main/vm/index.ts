export type {Sample} from '#vcpu-worker/sampling';
export type {CreateOptions, HostOptions} from './create-options.ts';
export {createVm} from './create-vm.ts';
export type {NoticeOfDevice} from './device-notices.ts';
export type {GuestSample, SampleListener} from './guest-sampler.ts';
export type {GuestListener, GuestSockets, GuestStream} from './guest-sockets.ts';
export type {GuestStop, StopListener} from './guest-stop.ts';
export type {NewDisk, PauseOptions, RemovalOptions, StartOptions, Vm} from './vm.ts';
export type {VmEnd, VmState} from './vm-end.ts';
