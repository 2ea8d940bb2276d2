import {nodeUnit} from '#main/topology';
import {errorTable, type VmmError} from '#support/errors';
import {checkRange} from '#support/options';
import {checkHugepages, checkSize} from './check-memory.ts';
import {configError} from './errors.ts';
import {formatBytes} from './format-bytes.ts';
import type {ConfigHost} from './host.ts';
import {memoryConflicts} from './memory-option.ts';
import type {NumaConfig, NumaNodeConfig} from './numa-config.ts';
import type {VmConfig} from './vm-config.ts';

const list = (numbers: readonly number[]) => (numbers.length === 0 ? 'none' : numbers.join(', '));

const numaError = errorTable({
	NUMA_NODES_MISSING: (_: Record<never, never>) => ({
		message: 'The machine has a list of NUMA nodes without any',
		remedy: 'Give a node, for example --numa size=2G, or leave the list out',
	}),
	NUMA_MEMORY_TWICE: (c: {sizeBytes: number; nodesBytes: number}) => ({
		message: `The machine's memory is ${formatBytes(c.sizeBytes)}, that of its NUMA nodes ${formatBytes(c.nodesBytes)}`,
		remedy: 'Give the memory of the nodes only: --numa without --memory',
	}),
	NUMA_MEMORY_NONE: (_: Record<never, never>) => ({
		message: 'No NUMA node has memory',
		remedy: 'Give one of them some, for example --numa size=2G',
	}),
	NUMA_MEMORY_FILE: (c: {node: number}) => ({
		message: `NUMA node ${c.node} cannot have its memory in a file`,
		remedy: 'Leave out file, or give --memory size=…,file=PATH instead of nodes',
	}),
	NUMA_HOST_NODE: (c: {node: number; hostNode: number; hostNodes: readonly number[]}) => ({
		message: `NUMA node ${c.node} is to have its memory from the host's node ${c.hostNode}, which has none or does not exist`,
		remedy: `Give a host_numa_node that has memory (here: ${list(c.hostNodes)}), or leave it out`,
	}),
	NUMA_PROCESSOR_UNKNOWN: (c: {node: number; vp: number; count: number}) => ({
		message: `NUMA node ${c.node} is to have processor ${c.vp}, and the machine has processors 0 to ${c.count - 1}`,
		remedy: 'Give more --processors, or another list of vps',
	}),
	NUMA_PROCESSOR_TWICE: (c: {vp: number; nodes: readonly number[]}) => ({
		message: `Processor ${c.vp} is in the vps of NUMA nodes ${c.nodes.join(' and ')}`,
		remedy: 'List each processor once',
	}),
	NUMA_PROCESSORS_MISSING: (c: {missing: readonly number[]}) => ({
		message: `No NUMA node has processor ${c.missing.slice(0, 8).join(', ')}${c.missing.length > 8 ? ', …' : ''}`,
		remedy: 'List every processor in the vps of one node, or leave vps out of all that shall have some',
	}),
	NUMA_PROCESSORS_MIXED: (c: {listed: readonly number[]; shared: readonly number[]}) => ({
		message: `NUMA nodes ${list(c.listed)} list their processors, nodes ${list(c.shared)} do not`,
		remedy: 'Give vps to all nodes or to none; vps=[] is a node without processors',
	}),
	NUMA_DISTANCE_NODE: (c: {from: number; to: number; count: number}) => ({
		message: `There is no distance from NUMA node ${c.from} to ${c.to}: the machine has nodes 0 to ${c.count - 1}`,
		remedy: 'Count the nodes from 0, in the order of --numa',
	}),
	NUMA_DISTANCE_LOCAL: (c: {node: number; distance: number}) => ({
		message: `NUMA node ${c.node} is to be ${c.distance} from itself`,
		remedy: 'The distance of a node to itself is 10; leave it out',
	}),
});

/** Checks the machine's NUMA nodes by themselves and against the host. */
export function checkNuma(numa: NumaConfig, {memory, processors}: VmConfig, host: ConfigHost): VmmError[] {
	const {nodes} = numa;
	if (nodes.length === 0) return [numaError('NUMA_NODES_MISSING', {})];
	const nodesBytes = nodes.reduce((sum, node) => sum + node.memory.sizeBytes, 0);
	if (nodesBytes === 0) return [numaError('NUMA_MEMORY_NONE', {})];
	const {sizeBytes} = memory;
	return [
		...(sizeBytes === nodesBytes ? [] : [numaError('NUMA_MEMORY_TWICE', {sizeBytes, nodesBytes})]),
		...nodes.flatMap((node, index) => checkNode(node, index, host)),
		...checkHostMemory(nodes, host),
		...checkProcessors(nodes, processors.count),
		...checkDistances(numa),
	];
}

function checkNode({memory, hostNode}: NumaNodeConfig, node: number, host: ConfigHost): VmmError[] {
	const problems: VmmError[] = memoryConflicts(memory, '--numa');
	if (memory.file !== undefined) problems.push(numaError('NUMA_MEMORY_FILE', {node}));
	const size =
		memory.sizeBytes === 0 ? undefined : (checkSize(memory.sizeBytes, nodeUnit) ?? checkHugepages(memory, host));
	if (size !== undefined) problems.push(size);
	const hostNodes = hostNode === undefined ? [] : host.memoryNodes();
	if (hostNode !== undefined && !hostNodes.includes(hostNode))
		problems.push(numaError('NUMA_HOST_NODE', {node, hostNode, hostNodes}));
	return problems;
}

/** Huge pages are in a pool of their own. */
function checkHostMemory(nodes: readonly NumaNodeConfig[], host: ConfigHost): VmmError[] {
	const plain = nodes.filter(({memory}) => !memory.hugepages);
	const sizeBytes = plain.reduce((sum, {memory}) => sum + memory.sizeBytes, 0);
	const hostBytes = host.memoryBytes();
	if (hostBytes === 0 || !(sizeBytes > hostBytes)) return [];
	return [configError('CONFIG_HOST_MEMORY_SHORT', {sizeBytes, hostBytes})];
}

function checkProcessors(nodes: readonly NumaNodeConfig[], count: number): VmmError[] {
	const problems: VmmError[] = [];
	const nodeOf = new Map<number, number>();
	for (const [node, {vps = []}] of nodes.entries()) {
		for (const vp of vps) {
			const other = nodeOf.get(vp);
			if (!Number.isInteger(vp) || vp < 0 || vp >= count)
				problems.push(numaError('NUMA_PROCESSOR_UNKNOWN', {node, vp, count}));
			else if (other !== undefined) problems.push(numaError('NUMA_PROCESSOR_TWICE', {vp, nodes: [other, node]}));
			nodeOf.set(vp, node);
		}
	}
	const numbered = [...nodes.entries()];
	const shared = numbered.filter(([, {vps}]) => vps === undefined).map(([node]) => node);
	const listed = numbered.filter(([, {vps = []}]) => vps.length > 0).map(([node]) => node);
	if (shared.length > 0 && listed.length > 0) problems.push(numaError('NUMA_PROCESSORS_MIXED', {listed, shared}));
	// A count that no machine has is an error of its own.
	const wanted = shared.length === 0 && count <= 1024 ? count : 0;
	const missing = Array.from({length: wanted}, (_, vp) => vp).filter((vp) => !nodeOf.has(vp));
	if (missing.length > 0) problems.push(numaError('NUMA_PROCESSORS_MISSING', {missing}));
	return problems;
}

function checkDistances({nodes, distances}: NumaConfig): VmmError[] {
	const {length: count} = nodes;
	const isNode = (node: number) => Number.isInteger(node) && node >= 0 && node < count;
	return distances.flatMap(({from, to, distance}) => {
		if (!isNode(from) || !isNode(to)) return [numaError('NUMA_DISTANCE_NODE', {from, to, count})];
		if (from === to && distance !== 10) return [numaError('NUMA_DISTANCE_LOCAL', {node: from, distance})];
		return checkRange(distance, '--numa-distance', 10, 255) ?? [];
	});
}
