import type {MemoryRange} from '#devices/guest-memory';
import {type DeviceShape, deviceShape, lineInputs} from '#devices/machine';
import type {DescribedDevice} from '#devices/pci/fabric';
import type {BootConfig, NumaConfig, PcieConfig, ProcessorConfig, VmConfig} from '#main/config';
import type {ProcessorTopology} from '#main/topology';
import type {SavedBoot} from './asked-machine.ts';

/**
 * Describes a machine as its guest can notice it, without the state of its parts, as plain data: it has to be the same where a
 * snapshot is restored. Nothing of it names anything of the host.
 */
export interface MachineShape {
	/** Number of processors. */
	readonly processors: number;
	readonly memoryBytes: number;
	/** The request, and its result on the host. */
	readonly topology: Omit<ProcessorConfig, 'count'> & {
		readonly apicIds: readonly number[];
		readonly apicMode: ProcessorTopology['apicMode'];
	};
	/** Ranges of RAM. */
	readonly ram: readonly MemoryRange[];
	readonly irqchip: string;
	readonly pcie?: PcieConfig;
	readonly numa?: {readonly nodes: readonly object[]; readonly distances: NumaConfig['distances']};
	/** By name. */
	readonly devices: Readonly<Record<string, DeviceShape>>;
}

/** Parts of a machine that its shape comes from, beside its configuration. */
export interface ShapedParts {
	readonly topology: Pick<ProcessorTopology, 'vps' | 'apicMode'>;
	readonly ram: readonly MemoryRange[];
	readonly devices: readonly DescribedDevice[];
}

/** The shape of a machine. */
export function machineShape(config: VmConfig, {topology, ram, devices}: ShapedParts): MachineShape {
	const {
		processors: {count, ...asked},
		memory,
		irqchip,
		pcie,
		numa,
	} = config;
	const inputs = lineInputs(devices);
	return {
		processors: count,
		memoryBytes: memory.sizeBytes,
		topology: {...asked, apicIds: topology.vps.map(({apicId}) => apicId), apicMode: topology.apicMode},
		ram: ram.map(({gpa, length}) => ({gpa, length})),
		irqchip,
		...(pcie && {pcie}),
		...(numa && {numa: guestNuma(numa)}),
		devices: Object.fromEntries(
			devices.map((device) => [device.instance.name, deviceShape(device, inputs.get(device.instance.name))]),
		),
	};
}

/** The nodes as the guest sees them. */
const guestNuma = ({nodes, distances}: NumaConfig) => ({
	nodes: nodes.map(({memory, vps}) => ({bytes: memory.sizeBytes, ...(vps && {vps})})),
	distances,
});

/** The part of a machine's start that a snapshot keeps: nothing of the host. */
export function bootToSave(boot: BootConfig): SavedBoot {
	const {kind} = boot;
	if (kind === 'flat' || kind === 'none') return {kind};
	const {commandLine} = boot;
	return {kind, commandLine, ...(kind === 'linux' && boot.defaultWords === false && {isBare: true})};
}
