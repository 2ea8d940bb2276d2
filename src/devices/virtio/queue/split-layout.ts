import {u16, u32, u64, wire} from '#support/wire';

/** Element of the descriptor table (virtio 1.2, 2.7.5). */
export const Descriptor = wire('virtq_desc', {
	address: u64.asNumber.at(0),
	length: u32.at(8),
	flags: u16.at(12),
	next: u16.at(14),
}).sized(16, 'virtio 1.2, 2.7.5');

/** Flags of a {@link Descriptor}, and of a packed ring's. */
export const DescriptorFlag = {NEXT: 1, WRITE: 2, INDIRECT: 4} as const;

/** Available ring, which the driver writes (2.7.6): offsets, and its last field's for a queue of `size`. */
export const Available = {FLAGS: 0, INDEX: 2, RING: 4, usedEvent: (size: number) => 4 + 2 * size} as const;
/** Used ring, which the device writes (2.7.8). */
export const Used = {
	FLAGS: 0,
	INDEX: 2,
	RING: 4,
	elementBytes: 8,
	availableEvent: (size: number) => 4 + 8 * size,
} as const;

/** The driver wants no interrupts, where there is no event index (2.7.6). */
export const noInterrupt = 1;

/** Indices of rings count modulo this. */
export const indexLimit = 2 ** 16;

/** Bytes and alignment of the parts of a queue of `size` (2.7). */
export const queueParts = {
	descriptors: {bytes: (size: number) => Descriptor.size * size, alignment: 16},
	driver: {bytes: (size: number) => Available.usedEvent(size) + 2, alignment: 2},
	device: {bytes: (size: number) => Used.availableEvent(size) + 2, alignment: 4},
} as const;
