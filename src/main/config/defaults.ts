import type {DeviceHandle} from '#devices/device-type';
import {type DeviceRegistry, deviceRegistry} from '#devices/registry';
import type {HypervisorOption} from '#vcpu-worker/back-ends';
import {type CpuChoice, hostCpu} from '#vcpu-worker/cpuid';
import {completeDevices} from './complete-devices.ts';
import type {MemoryConfig} from './memory-config.ts';
import type {NumaConfig, NumaDistance} from './numa-config.ts';
import type {NumaNodeOptions} from './numa-option.ts';
import type {PcieConfig} from './pcie-config.ts';
import type {BootConfig, GuestActions, IrqchipOption, ProcessorConfig, VmConfig} from './vm-config.ts';

const MiB = 2 ** 20;

/** Status of a process whose guest triple-faulted, unless `guestActions.crash` says otherwise. */
export const guestCrashStatus = 3;

/** Resets in a row, each within a minute of the power-on before it: no installer or firmware needs as many. */
export const defaultResetLimit = 10;

/** A machine as far as the caller cares; {@link vmConfig} adds the rest. */
export interface VmOptions {
	readonly processors?: Partial<ProcessorConfig>;
	/** Without it `host`. */
	readonly cpu?: Partial<CpuChoice>;
	readonly memory?: Partial<MemoryConfig>;
	/** Nodes instead of {@link memory}, which is then all of theirs. */
	readonly numa?: {readonly nodes: readonly NumaNodeOptions[]; readonly distances?: readonly NumaDistance[]};
	readonly boot?: BootConfig;
	readonly hypervisor?: HypervisorOption;
	readonly irqchip?: IrqchipOption;
	readonly deviceFailure?: VmConfig['deviceFailure'];
	readonly guestActions?: Partial<GuestActions>;
	readonly guestResetLimit?: number;
	readonly paused?: boolean;
	readonly crashDumpPath?: string;
	readonly pcie?: Partial<PcieConfig>;
	/** Without it COM1 to COM4, with COM1 on the console; see `serialPorts`. */
	readonly devices?: readonly DeviceHandle[];
}

/**
 * Completes a configuration. The defaults are OpenVMM's (1 processor, 1 GiB of shared memory, COM1 on the
 * console) with two differences: a power-off and a crash end the process instead of leaving a stopped
 * machine behind, so that a shell or a service manager learns how the guest ended.
 */
export function vmConfig(options: VmOptions = {}, registry: DeviceRegistry = deviceRegistry): VmConfig {
	const numa = options.numa && numaConfig(options.numa);
	return {
		processors: {count: 1, smt: 'auto', x2apic: 'auto', apicIdOffset: 0, ...options.processors},
		cpu: {...hostCpu, ...options.cpu},
		memory: memoryConfig({...(numa && allMemory(numa)), ...options.memory}),
		...(numa && {numa}),
		boot: options.boot ?? {kind: 'embedded', commandLine: []},
		hypervisor: options.hypervisor ?? 'auto',
		irqchip: options.irqchip ?? 'split',
		devices: completeDevices(options.devices ?? registry.flaggedDevices(() => []), registry),
		guestActions: {
			reset: 'reset',
			shutdown: {exit: 0},
			crash: {exit: guestCrashStatus},
			watchdog: 'reset',
			halt: 'none',
			...options.guestActions,
		},
		deviceFailure: options.deviceFailure ?? 'machine',
		guestResetLimit: options.guestResetLimit ?? defaultResetLimit,
		paused: options.paused ?? false,
		...(options.crashDumpPath !== undefined && {crashDumpPath: options.crashDumpPath}),
		...(options.pcie && {pcie: pcieConfig(options.pcie)}),
	};
}

function pcieConfig(options: Partial<PcieConfig>): PcieConfig {
	return {rootComplexes: [], rootPorts: [], switches: [], ecamBelow4Gb: false, ...options};
}

function numaConfig({nodes, distances = []}: NonNullable<VmOptions['numa']>): NumaConfig {
	return {nodes: nodes.map((node) => ({...node, memory: memoryConfig(node.memory)})), distances};
}

/** Gives the size of the whole machine's memory; all else about memory is said by node. */
const allMemory = ({nodes}: NumaConfig) => ({sizeBytes: nodes.reduce((sum, {memory}) => sum + memory.sizeBytes, 0)});

function memoryConfig(options: Partial<MemoryConfig> = {}): MemoryConfig {
	const hugepages = options.hugepages ?? false;
	return {
		sizeBytes: 1024 * MiB,
		shared: true,
		prefetch: false,
		// Pages from the hugetlb pool are huge already.
		thp: !hugepages,
		hugepages,
		...(hugepages && {hugepageSizeBytes: 2 * MiB}),
		...options,
	};
}
