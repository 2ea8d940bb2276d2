export type {CreateOptions} from './create-options.ts';
export {createVm} from './create-vm.ts';
export {
	type Breakpoints,
	type DebugHit,
	type GuestStop,
	noBreakpoints,
	type Step,
	type StopListener,
} from './guest-stop.ts';
export type {ComingDevice} from './hot-plug.ts';
export type {StartOptions, Vm} from './vm.ts';
export type {VmEnd, VmState} from './vm-end.ts';
