/** Entries of L1 and L2 tables (qcow2.txt, "Cluster mapping"), as the halves of their 64 bits: most are looked at often. */

/** Bits of an entry's upper half. */
export const High = {copied: 0x8000_0000, compressed: 0x4000_0000} as const;
/** The cluster reads as zeros: bit 0 of the lower half. */
export const zeroBit = 1;

/** Bits 9 to 55: where the cluster or table is. More than 2^53 is no safe integer, which {@link isSound} refuses. */
export const offsetOf = (high: number, low: number): number =>
	(high & 0x00ff_ffff) * 2 ** 32 + ((low & 0xffff_fe00) >>> 0);

/** True for an offset that a cluster can have. */
export const isSound = (offset: number, clusterBytes: number): boolean =>
	offset % clusterBytes === 0 && Number.isSafeInteger(offset);

/** The upper half of an entry for a cluster at `offset` whose count is one. */
export const copiedHigh = (offset: number): number => (Math.floor(offset / 2 ** 32) | High.copied) >>> 0;

/** The lower bits of a compressed cluster's entry say where it is; those above how many sectors go on behind the first. */
const placeBits = (clusterBits: number): number => 62 - (clusterBits - 8);

/** The last offset that an entry can say. */
export const mostCompressedOffset = (clusterBits: number): number =>
	Math.min(2 ** placeBits(clusterBits), Number.MAX_SAFE_INTEGER) - 1;

/** Where compressed data are: not at the beginning of a cluster, mostly. */
export interface CompressedPlace {
	readonly offset: number;
	/** No more bytes than this belong to it; the last ones may be another's. */
	readonly bytes: number;
}

/** Reads the entry of a compressed cluster ("Compressed Clusters Descriptor"). */
export function compressedPlace(high: number, low: number, clusterBits: number): CompressedPlace {
	const descriptor = ((BigInt(high) << 32n) | BigInt(low)) & ((1n << 62n) - 1n);
	const shift = BigInt(placeBits(clusterBits));
	const offset = Number(descriptor & ((1n << shift) - 1n));
	const sectors = Number(descriptor >> shift) + 1;
	return {offset, bytes: sectors * 512 - (offset % 512)};
}

/** The entry of a compressed cluster, as the halves of its bits. */
export function compressedEntry(
	{offset, bytes}: CompressedPlace,
	clusterBits: number,
): readonly [high: number, low: number] {
	const more = Math.floor((offset + bytes - 1) / 512) - Math.floor(offset / 512);
	const entry = (1n << 62n) | (BigInt(more) << BigInt(placeBits(clusterBits))) | BigInt(offset);
	return [Number(entry >> 32n), Number(entry & 0xffff_ffffn)];
}
