/** The public API: a machine as data in, a machine to drive out. The command line is one client of it. */
export type {DeviceCommand, DeviceInstance} from '#devices/device';
export type {GuestMemory} from '#devices/guest-memory';
export {
	type BootConfig,
	type ClockPolicy,
	type ConfigHost,
	checkConfig,
	type DebugconConfig,
	type DeviceModuleConfig,
	type GdbAddress,
	type GuestAction,
	type GuestActions,
	linuxHost,
	type MemoryConfig,
	type PcieConfig,
	type PcieRootComplexConfig,
	type PcieRootPortConfig,
	type PcieSwitchConfig,
	type ProcessorConfig,
	type SerialBackendConfig,
	type SerialConfig,
	type VmConfig,
	type VmOptions,
	vmConfig,
} from '#main/config';
export {type ControlOptions, type ControlServer, serveControl} from '#main/control';
export {type GdbServer, serveGdb} from '#main/debugger';
export {type OpenSnapshot, openSnapshot, verifySnapshot} from '#main/snapshot';
export {
	type ComingDevice,
	type CreateOptions,
	createVm,
	type GuestStop,
	type StartOptions,
	type StopListener,
	type Vm,
	type VmEnd,
	type VmState,
} from '#main/vm';
export type {LongOperation} from '#support/abort';
export {isVmmError, VmmError} from '#support/errors';
export {
	type Children as InspectChildren,
	type InspectNode,
	type InspectOptions,
	type InspectResult,
	toJson as inspectJson,
	toText as inspectText,
} from '#support/inspect';
export type {Breakpoints, DebugHit, DebugSupport, Step} from '#vcpu-worker/debug';
export type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
