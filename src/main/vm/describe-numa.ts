import type {AcpiInitiator, AcpiNuma} from '#main/acpi';
import {numaNodes, type VmConfig} from '#main/config';
import {type MemoryLayout, nodesOfProcessors, type ProcessorTopology} from '#main/topology';

/** Distances that nobody said, as OpenVMM has them. */
const localDistance = 10;
const remoteDistance = 20;

/**
 * Describes the machine's NUMA nodes for the tables; undefined where the configuration says nothing of nodes.
 * @param initiators - as they are at power-on
 */
export function describeNuma(
	config: VmConfig,
	topology: ProcessorTopology,
	{nodes: memory}: Pick<MemoryLayout, 'nodes'>,
	initiators: readonly AcpiInitiator[],
): AcpiNuma | undefined {
	const {numa, pcie} = config;
	const complexHasNode = pcie?.rootComplexes.some(({node}) => node !== undefined) ?? false;
	if (numa === undefined && !complexHasNode && initiators.length === 0) return undefined;
	const nodes = numaNodes(config);
	const distances = nodes.map((_, from) =>
		nodes.map((_, to) => {
			const asked = numa?.distances.findLast((distance) => distance.from === from && distance.to === to);
			return asked?.distance ?? (from === to ? localDistance : remoteDistance);
		}),
	);
	const hasSlit = nodes.length > 1 || (numa?.distances.length ?? 0) > 0;
	return {processors: nodesOfProcessors(topology, nodes), memory, initiators, ...(hasSlit && {distances})};
}
