export {DeviceNames} from './device-names.ts';
export {
	type AnyDeviceType,
	type DeclaredOf,
	type DeclaredType,
	type DeviceNotice,
	type DeviceType,
	deviceType,
	type HostReport,
	type MachineFacts,
	type OwnedType,
	type SmbiosStructure,
	type StateWords,
	type TerminalUse,
	type TypeParts,
} from './device-type.ts';
export {type DeviceFlag, type DeviceFlags, type FlaggedDevice, switchFlag} from './flags.ts';
export type {DeviceHandle, KindHandle, ModuleHandle} from './handle.ts';
