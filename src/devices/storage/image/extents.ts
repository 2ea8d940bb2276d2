import type {Extent, Target} from './disk-image.ts';

/** A call of `map` gives no more extents than this. */
export const mostExtents = 256;

/** Appends an extent, or lets the last one grow where this one goes on from it. */
export function appendExtent(extents: Extent[], extent: Extent): void {
	const last = extents.at(-1);
	if (last === undefined || last.kind !== extent.kind || last.kind === 'compressed') {
		extents.push(extent);
		return;
	}
	const joined = {...last, length: last.length + extent.length};
	if (last.kind !== 'data') extents[extents.length - 1] = joined;
	else if (extent.kind === 'data' && last.fileOffset + last.length === extent.fileOffset)
		extents[extents.length - 1] = joined;
	else extents.push(extent);
}

/** Appends a target in the same way. */
export function appendTarget(targets: Target[], target: Target): void {
	const last = targets.at(-1);
	if (last !== undefined && last.fileOffset + last.length === target.fileOffset)
		targets[targets.length - 1] = {...last, length: last.length + target.length};
	else targets.push(target);
}

/** The whole blocks within a range: none where it ends before it begins. */
export const wholeBlocks = (offset: number, length: number, blockBytes: number): {start: number; end: number} => ({
	start: Math.ceil(offset / blockBytes) * blockBytes,
	end: Math.floor((offset + length) / blockBytes) * blockBytes,
});

/** A range is worked through in parts of so many bytes, in between of which it may be given up. */
const partBytes = 2 ** 26;

/** Does something to one part of a range after the other, each of whole blocks. */
export async function byParts(
	start: number,
	end: number,
	blockBytes: number,
	progress: ((done: number, total: number) => void) | undefined,
	work: (start: number, end: number) => Promise<void>,
): Promise<void> {
	const unit = Math.max(partBytes, blockBytes);
	for (let at = start; at < end; ) {
		progress?.(at - start, end - start);
		const stop = Math.min(end, (Math.floor(at / unit) + 1) * unit);
		await work(at, stop);
		at = stop;
	}
	if (end > start) progress?.(end - start, end - start);
}
