export const itemsPerChunk = 2048;
/** The shared array holds this many chunks' worth of items; chunk n works on part n modulo this. */
export const arrayChunks = 8;
/** About 0.2 s at 2.4 G instructions a second. */
export const defaultChunks = 14_600;

/** Multipliers of the hash, those of MurmurHash3's finalizer. */
export const hashMultipliers = [0x85eb_ca6b, 0xc2b2_ae35] as const;

/** The shared array: a fixed pseudo-random sequence (Numerical Recipes' generator). */
export function workItems(): Uint32Array {
	const items = new Uint32Array(itemsPerChunk * arrayChunks);
	let value = 0x1234_5678;
	for (let index = 0; index < items.length; index++) {
		value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
		items[index] = value;
	}
	return items;
}

/** Computes what user code does per item, here in TypeScript so that the guest's answer has a witness. */
export function hashItem(item: number): number {
	let hash = item ^ (item >>> 16);
	hash = Math.imul(hash, hashMultipliers[0]);
	hash ^= hash >>> 13;
	hash = Math.imul(hash, hashMultipliers[1]);
	return (hash ^ (hash >>> 16)) >>> 0;
}

/** The sum of the hashes of each part of the array. */
export function expectedChunkSums(): readonly bigint[] {
	const items = workItems();
	return Array.from({length: arrayChunks}, (_, chunk) => {
		const part = items.subarray(chunk * itemsPerChunk, (chunk + 1) * itemsPerChunk);
		return BigInt(part.reduce((sum, item) => sum + hashItem(item), 0));
	});
}
