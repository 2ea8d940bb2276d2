import {array, bytes, i32, wire} from '#support/wire';

const channels = 8;
const chips = 2;

/** The shared state of both DMA controllers and the page registers. */
export const Dma8237State = wire('dma-8237', {
	/** Values written to address and count, 16 bits each. */
	baseAddress: array(i32, channels),
	baseCount: array(i32, channels),
	/** Address that the transfer has come to. */
	address: array(i32, channels),
	/** One less than what is left to transfer. */
	count: array(i32, channels),
	/** Mode registers, without the channel's number. */
	mode: bytes(channels),
	/** Page registers, by the low four bits of the port. */
	page: bytes(16),
	command: bytes(chips),
	/** Channels that reached their end since the status was read, one bit each. */
	ended: bytes(chips),
	/** Software requests, one bit for each channel. */
	requests: bytes(chips),
	/** Channels that may transfer, one bit each: the complement of the mask, which is set by a reset. */
	unmasked: bytes(chips),
	/** 1 when the next access is to the high byte. */
	flipFlop: bytes(chips),
});

/** Fields of {@link Dma8237State}. */
export type Dma8237Fields = (typeof Dma8237State)['fields'];
