/** The public API: a machine as data in, a machine to drive out. The command line is one client of it. */
export {type BootConfig, checkConfig, linuxHost, type VmConfig, type VmOptions, vmConfig} from '#main/config';
export {type ControlOptions, type ControlServer, type ControlTarget, serveControl} from '#main/control';
export {type OpenSnapshot, openSnapshot, verifySnapshot} from '#main/snapshot';
export {type ComingDevice, type CreateOptions, createVm, type Vm, type VmEnd, type VmState} from '#main/vm';
export {isVmmError, VmmError} from '#support/errors';
export {type InspectOptions, type InspectResult, toJson as inspectJson, toText as inspectText} from '#support/inspect';
