/** What benches of disks ask for, of a device and of the host alike. */
export interface DiskJob {
	readonly kind: 'read' | 'write';
	/** Of a request. */
	readonly bytes: number;
	/** Of writes: each is on the medium when it is done. */
	readonly isDurable?: boolean;
	/** Of writes: each is followed by a flush, which ends before it counts as done, as fsync(2) of a guest's has it. */
	readonly isFlushed?: boolean;
	/** Where the next one is. */
	next(): number;
}

/** Random places, the same in every run. */
export function randomPlaces(fileBytes: number, bytes: number): () => number {
	let state = 1;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return Math.floor((state / 2 ** 32) * (fileBytes / bytes)) * bytes;
	};
}

/** One behind the other, and again from the beginning. */
export function placesInOrder(fileBytes: number, bytes: number): () => number {
	let next = -1;
	return () => {
		next = (next + 1) % (fileBytes / bytes);
		return next * bytes;
	};
}
