import type {AttachedMachine} from '#devices/machine';
import {describeFunctions} from '#devices/pci/fabric';
import {byteCount, type Children, dataNode, duration, hex, type InspectNode, nodeName, object} from '#support/inspect';
import {busNodes} from './bus-nodes.ts';
import {deviceNodes} from './device-nodes.ts';
import {threadIds, threadNodes} from './host-threads.ts';
import type {InspectedMachine} from './inspected-machine.ts';
import {interruptNodes} from './interrupt-nodes.ts';
import {latencyNodes} from './latency-nodes.ts';
import {mailboxNodes} from './mailbox-nodes.ts';
import {memoryNodes} from './memory-nodes.ts';
import {reactorNodes} from './reactor-nodes.ts';
import {vcpuNodes} from './vcpu-nodes.ts';

/** `vm/pci`: PCI functions as the guest has them now; empty without PCI Express. */
const pciNodes = ({pci}: AttachedMachine): Children =>
	Object.fromEntries(
		describeFunctions(pci?.complexes ?? []).map(({name, bars, on, ...facts}) => [
			nodeName(name),
			object(() => ({
				...facts,
				on: on.join(' ') || 'nothing',
				bars: object(() => Object.fromEntries(bars.map((bar) => [bar.index, object(() => barNodes(bar))]))),
			})),
		]),
	);

const barNodes = ({base, size, decoded}: ReturnType<typeof describeFunctions>[number]['bars'][number]): Children => ({
	base: hex(base),
	size: byteCount(size),
	decoded,
});

/** The first has the plain name: a machine seldom has more. */
const numbered = (name: string, index: number): string => (index === 0 ? name : `${name}-${index}`);

/** `vm/workers`: the threads that a machine lives on. */
const workerNodes = ({vcpus, devices, partition}: InspectedMachine): Children => {
	const mainUse = () => performance.eventLoopUtilization().utilization;
	const threads = [
		['main', process.pid, mainUse],
		...devices.threads.map(
			(thread, worker) => [numbered('devices', worker), thread.reactor.tid, () => thread.eventLoopUse()] as const,
		),
		...vcpus.map((vcpu) => [`vcpu-${vcpu.index}`, partition.threadOf(vcpu.index), () => vcpu.eventLoopUse()] as const),
	] as const;
	return Object.fromEntries(
		threads.map(([name, tid, use]) => [
			name,
			object(() => (tid === 0 ? {state: 'starting'} : {...threadNodes(tid), eventLoopUse: Number(use().toFixed(3))})),
		]),
	);
};

/** `process`: the one that hosts the machine, with all its threads. */
const processNodes = (): Children => ({
	pid: process.pid,
	node: process.version,
	uptime: duration(Math.round(process.uptime() * 1e9)),
	memory: object(() =>
		Object.fromEntries(Object.entries(process.memoryUsage()).map(([name, value]) => [name, byteCount(value)])),
	),
	threads: object(() => Object.fromEntries(threadIds().map((tid) => [tid, object(() => threadNodes(tid))]))),
});

/** Shows the hypervisor, the reason for its choice, and what its processors can be; what they are is theirs. */
function hypervisorNodes({hypervisor, partition}: InspectedMachine): Children {
	const {cpuid: _, ...can} = partition.processor;
	return {...hypervisor, processor: dataNode(can)};
}

/** The subtrees of `vm`. A new one is one line here, and a file beside this one where it is long. */
const vmNodes = (inspected: InspectedMachine): Children => ({
	state: inspected.state(),
	// Only a non-maskable interrupt or a reset wakes such a guest.
	haltedForGood: inspected.isHalted() ? true : undefined,
	time: duration(inspected.machine.time.nowNs()),
	config: dataNode(inspected.config),
	hypervisor: object(() => hypervisorNodes(inspected)),
	vcpus: object(() => vcpuNodes(inspected)),
	devices: object(() => deviceNodes(inspected.machine, inspected.devices)),
	buses: object(() => busNodes(inspected.machine)),
	pci: object(() => pciNodes(inspected.machine)),
	interrupts: object(() => interruptNodes(inspected)),
	memory: object(() => memoryNodes(inspected)),
	workers: object(() => workerNodes(inspected)),
	...Object.fromEntries(
		inspected.devices.threads.map(({reactor}, worker) => [
			numbered('reactor', worker),
			object(() => reactorNodes(reactor)),
		]),
	),
	mailboxes: object(() => mailboxNodes(inspected.machine)),
	latencies: object(() => latencyNodes(inspected.vcpus)),
});

/**
 * The tree of a machine and its process. Nothing in it is computed before it is asked for.
 * @param more - further nodes at the root, of whoever owns the machine
 */
export const machineTree = (inspected: InspectedMachine, more: () => Children = () => ({})): InspectNode =>
	object(() => ({
		vm: object(() => vmNodes(inspected)),
		process: object(processNodes),
		...more(),
	}));
