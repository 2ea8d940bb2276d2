export type {Chain} from './chain.ts';
export {ReadablePart, WritablePart} from './chain-parts.ts';
export {LeftChains, leftBytes} from './left-chains.ts';
export {EventFlag, EventSuppression, PackedDescriptor, PackedFlag} from './packed-ring.ts';
export {type QueueFault, type QueuePlace, type QueueProgress, queueFaults} from './ring.ts';
export {type QueueParts, VirtQueue} from './virt-queue.ts';
