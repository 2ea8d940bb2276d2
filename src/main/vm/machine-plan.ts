import type {DescribedDevice} from '#devices/pci/fabric';
import type {LoadedTypes} from '#devices/registry';
import {numaNodes, type VmConfig} from '#main/config';
import type {DescribedDevices} from '#main/machine';
import type {BankRequest} from '#main/memory';
import {placeMachine} from '#main/pcie';
import {
	checkShape,
	type MachineShape,
	machineShape,
	type OpenSnapshot,
	type SnapshotUnits,
	stateLimits,
} from '#main/snapshot';
import {createProcessorTopology, type MemoryLayout, type ProcessorTopology, readHostTopology} from '#main/topology';
import type {KeepObject} from '#support/rpc';
import {guestAddressBits} from '#vcpu-worker/cpuid';
import type {ProcessorOffer} from '#vcpu-worker/hypervisor';
import {describeMachine} from './wire-machine.ts';

/** Plan of a machine, before anything of it exists. */
export interface MachinePlan {
	readonly topology: ProcessorTopology;
	readonly memory: MemoryLayout;
	/** RAM by NUMA node. */
	readonly banks: readonly BankRequest[];
	/**
	 * The devices that it begins with.
	 * @param baseTimeMs - real time at which VM time is 0, Unix milliseconds
	 * @param keep - keeps what is the program's in their options
	 */
	describe(baseTimeMs: number, keep: KeepObject): DescribedDevices;
	/** The machine as a guest sees it, with these devices: what a snapshot is compared by. */
	shapeOf(devices: readonly DescribedDevice[]): MachineShape;
}

/** Arranges processors within what the back end can have. @throws VmmError */
export function planProcessors({processors}: VmConfig, {limits}: ProcessorOffer): ProcessorTopology {
	const {count, ...options} = processors;
	return createProcessorTopology({processors: count, ...options, host: readHostTopology(), limits});
}

/** Arranges memory and devices within what the back end's processors can. @throws VmmError */
export function planMachine(
	config: VmConfig,
	topology: ProcessorTopology,
	{physicalAddressBits}: ProcessorOffer,
	models: LoadedTypes,
): MachinePlan {
	const nodes = numaNodes(config);
	const size = nodes.map(({memory}) => memory.sizeBytes);
	const bits = guestAddressBits(physicalAddressBits, config.cpu);
	const {memory, complexes} = placeMachine({size, physicalAddressBits: bits}, config.pcie);
	const {ram} = memory;
	return {
		topology,
		memory,
		banks: nodes.map((node, index) => ({...node, ranges: memory.nodes[index] ?? []})),
		describe: (baseTimeMs, keep) => describeMachine(config, {ram, complexes}, {timeMs: baseTimeMs, keep}, models),
		shapeOf: (devices) => machineShape(config, {topology, ram, devices}),
	};
}

/**
 * Reads a snapshot's units, after a check that it fits this machine.
 * @param devices - the machine's
 * @throws VmmError with a `SNAPSHOT_` code
 */
export function unitsFor(
	snapshot: OpenSnapshot,
	config: VmConfig,
	{saved}: ProcessorOffer,
	{shapeOf}: MachinePlan,
	devices: readonly DescribedDevice[],
): Promise<SnapshotUnits> {
	checkShape(shapeOf(devices), config, snapshot);
	return snapshot.readUnits(stateLimits(config.processors.count, saved, devices));
}
