export {checkConfig, checkProcessConfig, limits} from './check-config.ts';
export {checkDevices} from './check-devices.ts';
export {type ClockPolicy, clockPolicies, parseClockPolicy} from './clock-policy.ts';
export {linuxDefaultWords} from './command-line.ts';
export {namedDevices} from './complete-devices.ts';
export {cpuText, parseCpu} from './cpu-option.ts';
export {guestCrashStatus, type VmOptions, vmConfig} from './defaults.ts';
export {parseDevice} from './device-option.ts';
export {configError} from './errors.ts';
export {parseFlat} from './flat-option.ts';
export {formatBytes} from './format-bytes.ts';
export {parseGdb} from './gdb-option.ts';
export {parseGuestAction, parseHaltAction} from './guest-action.ts';
export {type ConfigHost, linuxHost} from './host.ts';
export {hugepageBytesOf, type MemoryConfig} from './memory-config.ts';
export {parseMemory} from './memory-option.ts';
export {type ModuleFile, moduleFiles} from './module-files.ts';
export {type NumaConfig, type NumaDistance, type NumaNodeConfig, numaNodes} from './numa-config.ts';
export {parseNuma, parseNumaDistance} from './numa-option.ts';
export {
	downstreamPortNames,
	type PcieConfig,
	type PcieGenericInitiatorConfig,
	type PcieRootComplexConfig,
	type PcieRootPortConfig,
	type PcieSwitchConfig,
	pcieNames,
} from './pcie-config.ts';
export {parsePcieGenericInitiator, parsePcieRootComplex, parsePcieRootPort, parsePcieSwitch} from './pcie-option.ts';
export {
	type GdbAddress,
	type LogLevel,
	logLevels,
	type ProcessConfig,
	type ProfileRequest,
	sampleHz,
} from './process-config.ts';
export {parseSymbolFile} from './symbol-file-option.ts';
export {type TerminalUser, terminalUsers} from './terminal.ts';
export type {
	BootConfig,
	FlatMode,
	GuestAction,
	GuestActions,
	IrqchipOption,
	ProcessorConfig,
	VmConfig,
} from './vm-config.ts';
