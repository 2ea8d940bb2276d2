/** The machine's memory, as asked for. */
export interface MemoryConfig {
	/** Guest RAM in bytes, a multiple of 4 KiB. */
	readonly sizeBytes: number;
	/** Backed by a descriptor that another process could map (memfd or file), rather than by private pages. */
	readonly shared: boolean;
	/** Fill the mapping before the guest starts. */
	readonly prefetch: boolean;
	/** Offer the mapping to transparent huge pages. */
	readonly thp: boolean;
	/** Take the pages from the host's hugetlb pool. */
	readonly hugepages: boolean;
	/** Size of one hugetlb page in bytes; 2 MiB without it. Only with {@link hugepages}. */
	readonly hugepageSizeBytes?: number;
	/** File that holds the guest's RAM: missing or empty, or of exactly this size. */
	readonly file?: string;
}

/** Bytes of one of the hugetlb pages that memory is made of; undefined where it is made of others. */
export const hugepageBytesOf = ({
	hugepages,
	hugepageSizeBytes = 2 ** 21,
}: Pick<MemoryConfig, 'hugepages' | 'hugepageSizeBytes'>): number | undefined =>
	hugepages ? hugepageSizeBytes : undefined;
