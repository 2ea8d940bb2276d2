import type {ProcessorTopology} from './processor-topology.ts';

/**
 * The NUMA node of each processor, by index, as OpenVMM gives them out: as listed, or else the sockets to the nodes in turn.
 * @param nodes - whose lists are right, see `checkConfig`: an empty one is a node without processors
 */
export function nodesOfProcessors(
	{vps, vpsPerSocket}: Pick<ProcessorTopology, 'vps' | 'vpsPerSocket'>,
	nodes: readonly {readonly vps?: readonly number[]}[],
): number[] {
	const inTurn = nodes.flatMap(({vps: listed}, node) => (listed === undefined ? [node] : []));
	return vps.map(({index}) =>
		inTurn.length > 0
			? (inTurn[Math.floor(index / vpsPerSocket) % inTurn.length] as number)
			: nodes.findIndex(({vps: listed}) => listed?.includes(index)),
	);
}
