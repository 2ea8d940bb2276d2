import {errorTable, type VmmError} from '#support/errors';
import {
	downstreamPortNames,
	mostSwitchPorts,
	type PcieConfig,
	type PcieRootComplexConfig,
	pcieNames,
} from './pcie-config.ts';

const pcieError = errorTable({
	PCIE_BUSES_EMPTY: (c: {name: string; startBus: number; endBus: number}) => ({
		message: `The root complex ${c.name} begins with bus ${c.startBus} and ends with bus ${c.endBus}`,
		remedy: 'Give an end_bus that is not below start_bus',
	}),
	PCIE_BUSES_OVERLAP: (c: {first: string; second: string; segment: number}) => ({
		message: `The root complexes ${c.first} and ${c.second} have the same buses of segment ${c.segment}`,
		remedy: 'Give each its own start_bus and end_bus, or a segment of its own',
	}),
	PCIE_NAME_TAKEN: (c: {name: string}) => ({
		message: `Two PCI Express devices are called ${c.name}`,
		remedy: 'Give each root complex, port and switch a name of its own',
	}),
	PCIE_PARENT_UNKNOWN: (c: {name: string; parent: string; what: string; known: readonly string[]}) => ({
		message: `${c.name} is to sit on ${c.parent}, which is no ${c.what} that comes before it`,
		remedy: c.known.length > 0 ? `There are ${c.known.join(', ')}` : `Add a ${c.what}`,
	}),
	PCIE_PORT_COUNT: (c: {name: string; count: number}) => ({
		message: `The switch ${c.name} has ${c.count} ports`,
		remedy: 'Give num_downstream_ports from 1 to 255',
	}),
	PCIE_NODE_UNKNOWN: (c: {what: string; node: number; count: number}) => ({
		message: `${c.what} is to be near NUMA node ${c.node}, and the machine has ${c.count === 1 ? 'node 0 only' : `nodes 0 to ${c.count - 1}`}`,
		remedy: 'Give a node that exists, or add it with --numa',
	}),
	PCIE_INITIATOR_PORT: (c: {port: string; known: readonly string[]}) => ({
		message: `The generic initiator is to be behind ${c.port}, which is no port`,
		remedy: c.known.length > 0 ? `There are ${c.known.join(', ')}` : 'Add a port',
	}),
});

/**
 * Checks the machine's PCI Express by itself: names, parents, buses, NUMA nodes.
 * @param nodes - how many of the latter there are
 */
export function checkPcie(pcie: PcieConfig, nodes: number): VmmError[] {
	const {rootComplexes, rootPorts, switches} = pcie;
	const problems: VmmError[] = [];
	for (const {name, startBus, endBus} of rootComplexes) {
		if (startBus > endBus) problems.push(pcieError('PCIE_BUSES_EMPTY', {name, startBus, endBus}));
	}
	problems.push(...overlaps(rootComplexes));
	const complexes = rootComplexes.map(({name}) => name);
	for (const {name, rootComplex} of rootPorts) {
		if (complexes.includes(rootComplex)) continue;
		const what = 'root complex';
		problems.push(pcieError('PCIE_PARENT_UNKNOWN', {name, parent: rootComplex, what, known: complexes}));
	}
	const ports = rootPorts.map(({name}) => name);
	for (const options of switches) {
		const {name, port, downstreamPorts: count} = options;
		if (!ports.includes(port))
			problems.push(pcieError('PCIE_PARENT_UNKNOWN', {name, parent: port, what: 'port', known: [...ports]}));
		if (!(count >= 1 && count <= mostSwitchPorts)) problems.push(pcieError('PCIE_PORT_COUNT', {name, count}));
		ports.push(...downstreamPortNames(options));
	}
	problems.push(...checkNodes(pcie, nodes, ports));
	const names = pcieNames(pcie);
	const twice = names.find((name, index) => names.indexOf(name) !== index);
	if (twice !== undefined) problems.push(pcieError('PCIE_NAME_TAKEN', {name: twice}));
	return problems;
}

function checkNodes({rootComplexes, genericInitiators = []}: PcieConfig, count: number, ports: readonly string[]) {
	const near = [
		...rootComplexes.map(({name, node}) => ({what: `The root complex ${name}`, node})),
		...genericInitiators.map(({port, node}) => ({what: `The generic initiator behind ${port}`, node})),
	];
	return [
		...near.flatMap(({what, node}) =>
			node === undefined || node < count ? [] : [pcieError('PCIE_NODE_UNKNOWN', {what, node, count})],
		),
		...genericInitiators
			.filter(({port}) => !ports.includes(port))
			.map(({port}) => pcieError('PCIE_INITIATOR_PORT', {port, known: ports})),
	];
}

function overlaps(complexes: readonly PcieRootComplexConfig[]): VmmError[] {
	return complexes.flatMap((first, index) =>
		complexes
			.slice(index + 1)
			.filter(
				({segment, startBus, endBus}) =>
					segment === first.segment && startBus <= first.endBus && first.startBus <= endBus,
			)
			.map((second) =>
				pcieError('PCIE_BUSES_OVERLAP', {first: first.name, second: second.name, segment: first.segment}),
			),
	);
}
