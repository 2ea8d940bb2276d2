export type {Chain} from './chain.ts';
export {queueParts} from './ring.ts';
export {
	type QueueFault,
	type QueueParts,
	type QueuePlace,
	type QueueProgress,
	queueFaults,
	VirtQueue,
} from './virt-queue.ts';
