import {type Children, dataNode, duration, type InspectNode, object} from '#support/inspect';
import {busNodes} from './bus-nodes.ts';
import {deviceNodes} from './device-nodes.ts';
import type {InspectedMachine} from './inspected-machine.ts';
import {interruptNodes} from './interrupt-nodes.ts';
import {latencyNodes} from './latency-nodes.ts';
import {mailboxNodes} from './mailbox-nodes.ts';
import {memoryNodes} from './memory-nodes.ts';
import {pciNodes} from './pci-nodes.ts';
import {processNodes} from './process-nodes.ts';
import {reactorNodes} from './reactor-nodes.ts';
import {vcpuNodes} from './vcpu-nodes.ts';
import {workerNodes} from './worker-nodes.ts';

/** What runs the guest, why it is this one, and what its processors can be; what they are is theirs. */
function hypervisorNodes({hypervisor, partition}: InspectedMachine): Children {
	const {cpuid: _, ...can} = partition.processor;
	return {...hypervisor, processor: dataNode(can)};
}

/** The subtrees of `vm`. A new one is one line here and a file beside this one. */
const vmNodes = (inspected: InspectedMachine): Children => ({
	state: inspected.state(),
	// Only a non-maskable interrupt or a reset wakes such a guest.
	haltedForGood: inspected.isHalted() ? true : undefined,
	time: duration(inspected.machine.time.nowNs()),
	config: dataNode(inspected.config),
	hypervisor: object(() => hypervisorNodes(inspected)),
	vcpus: object(() => vcpuNodes(inspected)),
	devices: object(() => deviceNodes(inspected.machine)),
	buses: object(() => busNodes(inspected.machine)),
	pci: object(() => pciNodes(inspected.machine)),
	interrupts: object(() => interruptNodes(inspected)),
	memory: object(() => memoryNodes(inspected)),
	workers: object(() => workerNodes(inspected)),
	reactor: object(() => reactorNodes(inspected.devices.reactor)),
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
