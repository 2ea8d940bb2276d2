import test from 'ava';
import {
	type ConfigHost,
	checkConfig,
	linuxHost,
	parseNuma,
	parseNumaDistance,
	parsePcieGenericInitiator,
	parsePcieRootComplex,
	parsePcieRootPort,
	type VmOptions,
	vmConfig,
} from './index.ts';

const mib = 2 ** 20;

test('a node has the options of memory, a node of the host, and processors', (t) => {
	t.deepEqual(parseNuma('size=2G'), {memory: {sizeBytes: 2048 * mib}});
	t.deepEqual(parseNuma('size=0,vps=[]'), {memory: {sizeBytes: 0}, vps: []});
	t.deepEqual(parseNuma('vps=[0,1,4-6],size=64M,shared=off,thp,host_numa_node=3'), {
		memory: {sizeBytes: 64 * mib, shared: false, thp: true},
		hostNode: 3,
		vps: [0, 1, 4, 5, 6],
	});
	t.deepEqual(parseNumaDistance('0:1:255'), {from: 0, to: 1, distance: 255});
	t.deepEqual(parsePcieGenericInitiator('port=rp0,node=1'), {port: 'rp0', node: 1});
});

const refused: [string, string][] = [
	['vps=[0]', 'CONFIG_VALUE_INVALID'],
	['size=1G,file=/tmp/x', 'CONFIG_KEY_UNKNOWN'],
	['size=1G,vps=0,1', 'CONFIG_KEY_UNKNOWN'],
	['size=1G,vps=0', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[0', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[0,,1]', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[3-1]', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[1-2-3]', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[-1]', 'CONFIG_VALUE_INVALID'],
	['size=1G,vps=[0-4294967295]', 'CONFIG_NUMBER_RANGE'],
	['size=1G,vps=[0],vps=[1]', 'CONFIG_KEY_REPEATED'],
	['size=1G,host_numa_node=x', 'CONFIG_VALUE_INVALID'],
	['size=1G,hugepage_size=2M', 'CONFIG_REQUIRES'],
];
for (const [text, code] of refused) {
	test(`--numa ${text} is refused as ${code}`, (t) => {
		t.throws(() => parseNuma(text), {code});
	});
}

for (const [text, code] of [
	['0:1', 'CONFIG_VALUE_INVALID'],
	['0:1:20:1', 'CONFIG_VALUE_INVALID'],
	['0::20', 'CONFIG_VALUE_INVALID'],
	['0:1:9', 'CONFIG_NUMBER_RANGE'],
	['0:1:256', 'CONFIG_NUMBER_RANGE'],
] as const) {
	test(`--numa-distance ${text} is refused as ${code}`, (t) => {
		t.throws(() => parseNumaDistance(text), {code});
	});
}

test('a generic initiator needs a port and a node', (t) => {
	for (const text of ['port=rp0', 'node=1', 'rp0,node=1']) t.throws(() => parsePcieGenericInitiator(text));
});

/** A host with 4 GiB in its nodes 0 and 2, and no huge pages. */
const host: ConfigHost = {
	...linuxHost,
	memoryBytes: () => 4096 * mib,
	hugepageSizes: () => [],
	memoryNodes: () => [0, 2],
};
const problems = (nodes: readonly string[], distances: readonly string[] = [], more: VmOptions = {}) =>
	checkConfig(
		vmConfig({
			processors: {count: 4},
			numa: {
				nodes: nodes.map((text) => parseNuma(text)),
				distances: distances.map((text) => parseNumaDistance(text)),
			},
			...more,
		}),
		host,
	);

test('nodes that can be built', (t) => {
	const good: [readonly string[], readonly string[]][] = [
		[
			['size=1G', 'size=64M'],
			['0:1:30', '1:0:255', '1:1:10'],
		],
		[['size=1G,vps=[0-2]', 'size=0,vps=[3]', 'size=64M,vps=[]'], []],
		[['size=1G', 'size=0,vps=[]'], []],
		[['size=1G,host_numa_node=2'], []],
	];
	for (const [nodes, distances] of good) t.deepEqual(problems(nodes, distances), [], nodes.join(' '));
});

const wrong: [string, readonly string[], readonly string[], string, RegExp][] = [
	['no memory at all', ['size=0', 'size=0'], [], 'NUMA_MEMORY_NONE', /No NUMA node has memory/],
	['crumbs of memory', ['size=1G', 'size=4K'], [], 'CONFIG_MEMORY_TOO_SMALL', /4 ?K/],
	['half a chunk of a snapshot', ['size=1G', 'size=3M'], [], 'CONFIG_MEMORY_UNALIGNED', /not a multiple of 2 ?M/],
	['more than the host has', ['size=3G', 'size=2G'], [], 'CONFIG_HOST_MEMORY_SHORT', /5 ?G/],
	['huge pages of a host without', ['size=1G,hugepages'], [], 'CONFIG_HUGEPAGE_SIZE', /huge pages/],
	['a node that the host lacks', ['size=1G,host_numa_node=1'], [], 'NUMA_HOST_NODE', /host's node 1,/],
	['a processor that is none', ['size=1G,vps=[0-4]'], [], 'NUMA_PROCESSOR_UNKNOWN', /node 0 .* processor 4,.* 0 to 3/],
	['a processor twice', ['size=1G,vps=[0-2]', 'size=1G,vps=[2,3]'], [], 'NUMA_PROCESSOR_TWICE', /2 .* 0 and 1/],
	['a processor twice in one node', ['size=1G,vps=[0-3,2]'], [], 'NUMA_PROCESSOR_TWICE', /2 .* 0 and 0/],
	['processors nowhere', ['size=1G,vps=[1]', 'size=1G,vps=[]'], [], 'NUMA_PROCESSORS_MISSING', /processor 0, 2, 3$/],
	['some lists', ['size=1G,vps=[0-3]', 'size=1G'], [], 'NUMA_PROCESSORS_MIXED', /nodes 0 list .* nodes 1 do not/],
	['a distance to nowhere', ['size=1G', 'size=1G'], ['0:2:20'], 'NUMA_DISTANCE_NODE', /from NUMA node 0 to 2/],
	['a distance to itself', ['size=1G'], ['0:0:20'], 'NUMA_DISTANCE_LOCAL', /node 0 is to be 20/],
];
for (const [what, nodes, distances, code, message] of wrong) {
	test(`${what} is refused as ${code}`, (t) => {
		const found = problems(nodes, distances);
		t.deepEqual(
			found.map((problem) => problem.code),
			[code],
		);
		t.regex(found[0]?.message ?? '', message);
	});
}

test('what only a program can get wrong is refused too', (t) => {
	const codes = (more: VmOptions) => problems([], [], more).map(({code}) => code);
	t.deepEqual(codes({}), ['NUMA_NODES_MISSING']);
	const node = {memory: {sizeBytes: 1024 * mib}};
	t.deepEqual(codes({numa: {nodes: [node]}, memory: {sizeBytes: 512 * mib}}), ['NUMA_MEMORY_TWICE']);
	t.deepEqual(codes({numa: {nodes: [{memory: {...node.memory, file: '/tmp/ram'}}]}}), ['NUMA_MEMORY_FILE']);
	const distances = [{from: 0, to: 1, distance: 300}];
	t.deepEqual(codes({numa: {nodes: [node, node], distances}}), ['CONFIG_NUMBER_RANGE']);
	t.deepEqual(codes({numa: {nodes: [{...node, vps: [0]}]}, processors: {count: Number.POSITIVE_INFINITY}}), [
		'CONFIG_NUMBER_RANGE',
	]);
});

test('the nodes of root complexes and generic initiators exist, and so do the latter`s ports', (t) => {
	const pcie = (node: number, port: string, near: number) => ({
		rootComplexes: [parsePcieRootComplex(`rc0,node=${node}`)],
		rootPorts: [parsePcieRootPort('rc0:rp0')],
		genericInitiators: [{port, node: near}],
	});
	const nodes = ['size=1G', 'size=0,vps=[]'];
	const codes = (...places: Parameters<typeof pcie>) =>
		problems(nodes, [], {pcie: pcie(...places)}).map(({code}) => code);
	t.deepEqual(codes(1, 'rp0', 1), []);
	t.deepEqual(codes(2, 'rp0', 1), ['PCIE_NODE_UNKNOWN']);
	t.deepEqual(codes(0, 'rp0', 2), ['PCIE_NODE_UNKNOWN']);
	t.deepEqual(codes(0, 'rc0', 1), ['PCIE_INITIATOR_PORT']);
	const flat = (node: number) => checkConfig(vmConfig({pcie: pcie(node, 'rp0', 0)}), host).map(({code}) => code);
	t.deepEqual(flat(0), [], 'a machine without nodes is node 0');
	t.deepEqual(flat(1), ['PCIE_NODE_UNKNOWN']);
});

test('the memory of the machine is that of its nodes', (t) => {
	const {memory} = vmConfig({numa: {nodes: [parseNuma('size=1G'), parseNuma('size=64M')]}});
	t.is(memory.sizeBytes, 1088 * mib);
});
