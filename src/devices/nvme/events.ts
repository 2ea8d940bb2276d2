/** An asynchronous event (NVM Express Base 2.0, 5.2): a bit of the state's events, and how the driver is told. */
export interface AsyncEvent {
	readonly bit: number;
	/** Type in bits 2:0, information in 15:8, log page in 23:16 of the completion's first dword. */
	readonly result: number;
	/** The log page by whose reading the driver asks for more of this type. */
	readonly logPage: number;
	/** Bit of the feature by which the driver wants it; without it, it always does. */
	readonly wanted?: number;
}

const event = (bit: number, type: number, information: number, logPage: number, wanted?: number): AsyncEvent => ({
	bit,
	logPage,
	result: type | (information << 8) | (logPage << 16),
	...(wanted !== undefined && {wanted}),
});

/** Log pages that tell of events. */
export const errorPage = 0x01;
const [healthPage, changedNamespacesPage] = [0x02, 0x04];

/** Events that there are, in the order in which the driver is told. */
export const AsyncEvents = {
	/** A doorbell of a queue that is not there. */
	DOORBELL_REGISTER: event(0x1, 0, 0, errorPage),
	/** A value that is no tail or head of its queue. */
	DOORBELL_VALUE: event(0x2, 0, 1, errorPage),
	/** It has become too warm or too cold for the thresholds that the driver has set. */
	TEMPERATURE: event(0x8, 1, 1, healthPage, 0x2),
	NAMESPACES: event(0x4, 2, 0, changedNamespacesPage, 0x100),
} as const;

/** Bits of the events that a log page tells of. */
export const eventsOf = (logPage: number): number =>
	Object.values(AsyncEvents).reduce((bits, each) => (each.logPage === logPage ? bits | each.bit : bits), 0);

/** Namespace attribute notices (5.17.2.1, OAES). */
export const offeredEvents = AsyncEvents.NAMESPACES.wanted as number;
