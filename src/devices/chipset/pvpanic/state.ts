import {i32, u32, wire} from '#support/wire';

/** The shared state of the panic port. */
export const PvpanicState = wire('pvpanic', {
	panics: u32,
	crashLoads: u32,
	shutdowns: u32,
	/** The latest value written, with bits that mean nothing; -1 when there was none. */
	lastValue: i32.initial(-1),
});

/** Fields of {@link PvpanicState}. */
export type PvpanicFields = (typeof PvpanicState)['fields'];
