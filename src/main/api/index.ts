export type {
	VmCommand,
	VmCommandOptions,
	VmExecOptions,
	VmExecResult,
	VmInput,
	VmOutput,
	VmProcess,
	VmSpawnOptions,
} from './command.ts';
export {nameOf} from './compose.ts';
export type {DiskChoice, DiskFile} from './disks.ts';
export type {VmFiles} from './files.ts';
export {allRead, type ConsoleListener, type FindOptions, type GuestConsole} from './guest-console.ts';
export {
	type ConnectAttempt,
	type ConnectPolicy,
	type ConnectVerdict,
	type EndpointChoice,
	type NetworkChoice,
	type NetworkForward,
	type NetworkGuestForward,
	type NetworkOptions,
	type NicOptions,
	nicName,
} from './network.ts';
export type {CreateVmOptions, ForkOptions, HostChoices, RestoreVmOptions, VmStep} from './options.ts';
export type {ForwardOptions, PortForward} from './port-forward.ts';
export {commandDefaults, type ServedMachine, type ServeOptions} from './serve.ts';
export type {SharedFolder, SharedFolders} from './shared-folders.ts';
export {type ListenOptions, type ResumeOptions, type StopOptions, VM} from './vm.ts';
