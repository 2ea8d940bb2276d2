import {i32, sharedStruct, u32} from '#support/shared-memory';

/** The shared state of the panic port. */
export const PvpanicState = sharedStruct('pvpanic', {
	panics: u32(),
	crashLoads: u32(),
	shutdowns: u32(),
	/** The latest value written, with bits that mean nothing; -1 when there was none. */
	lastValue: i32(-1),
});

/** Fields of {@link PvpanicState}. */
export type PvpanicFields = (typeof PvpanicState)['fields'];
