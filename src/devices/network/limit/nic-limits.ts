import {areLimits, bucketFields, type Limits, type LimitTable, parseLimits} from '#devices/limits';
import {invalidValue, type ValueType} from '#support/options';
import {f64, type ViewOf, wire} from '#support/wire';

export type NicLimitName = 'bps' | 'bps_rx' | 'bps_tx' | 'pps' | 'pps_rx' | 'pps_tx';

/** Bytes and packets a second, together and of one direction, as the guest has it. */
export const nicLimitTable: LimitTable<NicLimitName> = [
	{name: 'bps', of: 'both', unit: 'bytes'},
	{name: 'bps_rx', of: 'in', unit: 'bytes'},
	{name: 'bps_tx', of: 'out', unit: 'bytes'},
	{name: 'pps', of: 'both', unit: 'times'},
	{name: 'pps_rx', of: 'in', unit: 'times'},
	{name: 'pps_tx', of: 'out', unit: 'times'},
];

/** Limits of one NIC. */
export type NicLimits = Limits<NicLimitName>;

/** Limits as a person writes them: `bps_tx=10M,pps=0`. @throws VmmError CONFIG_ */
export const parseNicLimits = (text: string, option: string): NicLimits => parseLimits(nicLimitTable, text, option);

/** Limits as an option, in which `;` stands between them. */
export const limitsOption: ValueType<NicLimits> = {
	placeholder: 'LIMITS',
	parse: (text, option) => parseNicLimits(text.replaceAll(';', ','), option),
	check: (value, option) =>
		areLimits(nicLimitTable, value) ? undefined : invalidValue(option, value, 'limits such as {bps_tx: 10_000_000}'),
};

/** A NIC's limits, in memory that its worker and the machine's owner have in common, and how often they made a frame wait. */
export const NicBuckets = wire('network-limits', {
	...bucketFields(nicLimitTable),
	sentThrottled: f64,
	receivedThrottled: f64,
});
export type NicBucketsView = ViewOf<typeof NicBuckets>;
