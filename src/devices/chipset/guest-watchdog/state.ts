import {f64, u32, wire} from '#support/wire';
import {defaultCount} from './registers.ts';

/** The shared state of the guest watchdog. */
export const GuestWatchdogState = wire('guest-watchdog', {
	/** The register that the data port reaches. */
	address: u32,
	config: u32,
	count: u32.initial(defaultCount),
	/** Value last written to the count: the count after each start. */
	configuredCount: u32.initial(defaultCount),
	/** At how many nanoseconds that the VM has run it fires; -1 for never. A guest that did not run could not tell it anything. */
	deadlineNs: f64.initial(-1),
	/** Number of times it has fired. */
	expirations: u32,
});

/** Fields of {@link GuestWatchdogState}. */
export type GuestWatchdogFields = (typeof GuestWatchdogState)['fields'];
