import {u8, u32, wire} from '#support/wire';

/** The shared state of the battery. */
export const BatteryState = wire('battery', {
	present: u8,
	charging: u8,
	discharging: u8,
	acOnline: u8,
	rateMw: u32,
	remainingMwh: u32,
	capacityMwh: u32,
	/** Changes that the guest has not seen, bits of `Notify`. */
	notify: u32,
});

/** Fields of {@link BatteryState}. */
export type BatteryFields = (typeof BatteryState)['fields'];
