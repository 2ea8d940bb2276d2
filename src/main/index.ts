/** The public API: a machine as data in, a machine to drive out. The command line is one client of it. */
import type {DebianImageBuild, ImageOperation} from '#main/images';

export {type SerialPortHandle, serialPorts} from '#devices/chipset/serial-16550';
export type {DeviceCommand} from '#devices/device';
export type {DeviceHandle, KindHandle, ModuleHandle} from '#devices/device-type';
export type {FolderEntry, FolderFile, FolderObject, FolderSpace, FolderStat} from '#devices/folder/object';
export type {GuestMemory, WriteLog} from '#devices/guest-memory';
export type {SerialBackendConfig} from '#devices/serial-backends';
export type {
	ExitStatus,
	GuestAddress,
	GuestFacts,
	GuestFileEvent,
	GuestFileKind,
	GuestFileStatus,
	GuestFolderEntry,
	TerminalSize,
	WriteOptions,
} from '#main/agent';
export {
	type ConnectAttempt,
	type ConnectPolicy,
	type ConnectVerdict,
	type ConsoleListener,
	type CreateVmOptions,
	type DiskChoice,
	type DiskFile,
	type EndpointChoice,
	type FindOptions,
	type ForkOptions,
	type ForwardOptions,
	type GuestConsole,
	type HostChoices,
	type ListenOptions,
	type NetworkChoice,
	type NetworkForward,
	type NetworkGuestForward,
	type NetworkOptions,
	type NicOptions,
	type PortForward,
	type RestoreVmOptions,
	type ResumeOptions,
	type ServedMachine,
	type ServeOptions,
	type SharedFolder,
	type SharedFolders,
	type StopOptions,
	VM,
	type VmCommand,
	type VmCommandOptions,
	type VmExecOptions,
	type VmExecResult,
	type VmFiles,
	type VmInput,
	type VmOutput,
	type VmProcess,
	type VmSpawnOptions,
	type VmStep,
} from '#main/api';
export {
	type BootConfig,
	type ClockPolicy,
	type ConfigHost,
	checkConfig,
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
	type ProfileRequest,
	type VmConfig,
	type VmOptions,
	vmConfig,
} from '#main/config';
export {type ControlOptions, type ControlServer, serveControl} from '#main/control';
export {type GdbServer, serveGdb} from '#main/debugger';
export {
	type ArchiveFolderOptions,
	archiveFolder,
	type FolderFunction,
	type FunctionAnswer,
	folderAt,
	functionFolder,
	type MemoryFiles,
	MemoryFolder,
	type MemoryFolderOptions,
	memoryFolder,
	overlayFolder,
} from '#main/folders';
export type {KernelRequest} from '#main/guest-kernel';
export type {DebianImageBuild, DebianImageFiles, DebianMirror, ImageOperation, ImageStep} from '#main/images';
export type {ImageConfig, ImageRequest} from '#main/oci';
export type {PackagesRequest} from '#main/package-root';
export {type ProfileInFile, profileFor, startProfile} from '#main/profile';
export {type OpenSnapshot, openSnapshot, restoredConfig, verifySnapshot} from '#main/snapshot';
export {
	type CreateOptions,
	createVm,
	type GuestListener,
	type GuestSample,
	type GuestSockets,
	type GuestStop,
	type GuestStream,
	type NoticeOfDevice,
	type PauseOptions,
	type RemovalOptions,
	type SampleListener,
	type StartOptions,
	type StopListener,
	type Vm,
	type VmEnd,
	type VmState,
} from '#main/vm';
export type {LongOperation} from '#support/abort';
export {isVmmError, VmmError, type VmmErrorCode} from '#support/errors';
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

/**
 * Builds a disk, a kernel and an initial file system of Debian packages, without a right on the host: programs of theirs run
 * in guests only. The same packages and the same configuration give the same bytes. What it takes is loaded when it is called.
 * @throws VmmError CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE, MIRROR_*, PACKAGE_*, PACKAGES_CONFLICT, IMAGE_*, TREE_*, EXT4_*;
 * OPERATION_ABORTED where the signal asks for it, and then nothing is left behind
 */
export async function buildDebianImage(build: DebianImageBuild, operation: ImageOperation = {}): Promise<void> {
	const images = await import('#main/images');
	await images.buildDebianImage(build, operation);
}
