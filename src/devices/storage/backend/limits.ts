import {type Limits, type LimitTable, parseLimits} from '#devices/limits';

export type LimitName = 'bps' | 'bps_rd' | 'bps_wr' | 'iops' | 'iops_rd' | 'iops_wr';

/**
 * Bytes and operations a second, together and of one direction, by the names that QEMU has for them. To flush, discard or write zeroes is an
 * operation of writing; only reads and writes have bytes.
 */
export const limitTable: LimitTable<LimitName> = [
	{name: 'bps', of: 'both', unit: 'bytes'},
	{name: 'bps_rd', of: 'in', unit: 'bytes'},
	{name: 'bps_wr', of: 'out', unit: 'bytes'},
	{name: 'iops', of: 'both', unit: 'times'},
	{name: 'iops_rd', of: 'in', unit: 'times'},
	{name: 'iops_wr', of: 'out', unit: 'times'},
];

/** Limits of one disk. */
export type DiskLimits = Limits<LimitName>;

/** Limits as a person writes them: `bps=100M,iops=0`. @throws VmmError CONFIG_ */
export const parseDiskLimits = (text: string, option: string): DiskLimits => parseLimits(limitTable, text, option);
