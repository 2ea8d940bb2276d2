import test from 'ava';
import {parseNuma, parsePcieRootComplex, type VmOptions, vmConfig} from '#main/config';
import {createMemoryLayout, createProcessorTopology} from '#main/topology';
import {describeNuma} from './describe-numa.ts';

const topology = createProcessorTopology({processors: 2, vpsPerSocket: 1, smt: 'off', x2apic: 'auto', apicIdOffset: 0});
const gib = 2 ** 30;

function describe(options: VmOptions, initiators: Parameters<typeof describeNuma>[3] = []) {
	const config = vmConfig(options);
	const size = config.numa?.nodes.map(({memory}) => memory.sizeBytes) ?? config.memory.sizeBytes;
	return describeNuma(config, topology, createMemoryLayout({size}), initiators);
}
const nodes = [parseNuma('size=1G'), parseNuma('size=1G')];

test('distances are 10 and 20 but where they are said, the last time counting, in one direction', (t) => {
	const distances = [
		{from: 0, to: 1, distance: 99},
		{from: 0, to: 1, distance: 30},
	];
	t.deepEqual(describe({numa: {nodes, distances}}), {
		processors: [0, 1],
		memory: [[{gpa: 0, length: gib}], [{gpa: gib, length: gib}]],
		initiators: [],
		distances: [
			[10, 30],
			[20, 10],
		],
	});
});

test('there are distances when there are several nodes, or some are said', (t) => {
	const [node] = nodes as [(typeof nodes)[0]];
	t.is(describe({numa: {nodes: [node]}})?.distances, undefined);
	t.deepEqual(describe({numa: {nodes: [node], distances: [{from: 0, to: 0, distance: 10}]}})?.distances, [[10]]);
});

test('a machine is one node as soon as a device belongs to it, and else says nothing of nodes', (t) => {
	t.is(describe({}), undefined);
	t.is(describe({pcie: {rootComplexes: [parsePcieRootComplex('rc0')]}}), undefined);
	const near = describe({pcie: {rootComplexes: [parsePcieRootComplex('rc0,node=0')]}});
	t.deepEqual(near, {processors: [0, 0], memory: [[{gpa: 0, length: gib}]], initiators: []});
	t.deepEqual(describe({}, [{segment: 0, bus: 1, devfn: 0, node: 0}])?.initiators.length, 1);
});
