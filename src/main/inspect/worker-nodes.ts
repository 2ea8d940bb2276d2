import {type Children, object} from '#support/inspect';
import {threadNodes} from './host-threads.ts';
import type {InspectedMachine} from './inspected-machine.ts';

/** `vm/workers`: the threads that a machine lives on. */
export const workerNodes = ({vcpus, devices, partition}: InspectedMachine): Children => {
	const mainUse = () => performance.eventLoopUtilization().utilization;
	const threads = [
		['main', process.pid, mainUse],
		['devices', devices.reactor.tid, () => devices.eventLoopUse()],
		...vcpus.map((vcpu) => [`vcpu-${vcpu.index}`, partition.threadOf(vcpu.index), () => vcpu.eventLoopUse()] as const),
	] as const;
	return Object.fromEntries(
		threads.map(([name, tid, use]) => [
			name,
			object(() => (tid === 0 ? {state: 'starting'} : {...threadNodes(tid), eventLoopUse: Number(use().toFixed(3))})),
		]),
	);
};
