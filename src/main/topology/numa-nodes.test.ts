import test from 'ava';
import {createProcessorTopology} from './index.ts';
import {nodesOfProcessors} from './numa-nodes.ts';

const machine = (processors: number, vpsPerSocket: number) =>
	createProcessorTopology({processors, vpsPerSocket, smt: 'off', x2apic: 'auto', apicIdOffset: 64});

test('sockets go to nodes in turn, past nodes without processors', (t) => {
	t.deepEqual(nodesOfProcessors(machine(6, 2), [{}, {}]), [0, 0, 1, 1, 0, 0]);
	t.deepEqual(nodesOfProcessors(machine(4, 1), [{}, {vps: []}, {}]), [0, 2, 0, 2]);
	t.deepEqual(nodesOfProcessors(machine(2, 4), [{}, {}]), [0, 0]);
});

test('listed processors are where they are listed', (t) => {
	t.deepEqual(nodesOfProcessors(machine(4, 1), [{vps: [1, 2]}, {vps: []}, {vps: [3, 0]}]), [2, 0, 0, 2]);
});
