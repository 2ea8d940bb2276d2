import type {MappedRange} from '#devices/guest-memory';

/** Guest RAM with one thing under it. */
export interface RamBank {
	/** No piece is larger than 8 GiB. */
	readonly ranges: readonly MappedRange[];
	/** Name of its backing, for inspect. */
	readonly backing: string;
	/** Descriptor of the backing, first range first, for parties that map it themselves; of what lies under private copies, if these are. */
	readonly fd: number | undefined;
	/** Offset of the first range in {@link fd}, in bytes. */
	readonly fdOffset: number;
	/** Writes go to private pages over the backing. */
	readonly isCopyOnWrite: boolean;
	/** Size of the huge pages that lie under it, in bytes. */
	readonly hugepageBytes: number | undefined;
	/** All of it shall be committed before the guest starts. */
	readonly prefetch: boolean;
}
