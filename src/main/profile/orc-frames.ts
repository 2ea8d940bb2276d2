import {OrcBase, type OrcEntry, type OrcTables} from '#main/symbols';
import type {Sample} from '#main/vm';

/** Frames at most, like those by frame pointers. */
const maxFrames = 64;
/** The longest near call (Intel SDM volume 2, CALL). */
const maxCallBytes = 7n;
/** Places in what an interrupt leaves with all registers (Linux, struct pt_regs), and in what the processor leaves itself. */
const registersAt = {bp: 32, ip: 128, cs: 136, sp: 152} as const;
const interruptAt = {ip: 0, cs: 8, sp: 24} as const;

/**
 * Walks the stack of a Linux kernel, which has no frame pointers, by its own tables. As far as the sample has the stack: a stack to which
 * the kernel changes for interrupts ends there.
 * @returns frames as those of the sample, from the inside; undefined where the tables know nothing of the code
 */
export function orcFrames(
	{frames: [at], stack}: Pick<Sample, 'frames' | 'stack'>,
	tables: OrcTables,
): bigint[] | undefined {
	if (at === undefined || stack === undefined) return undefined;
	const {next, pointer, frame, bytes, hasReturned} = stack;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	// Places on the stack are distances from where it was.
	const placeOf = (address: bigint) => Number(BigInt.asIntN(64, address - pointer));
	const wordAt = (place: number): bigint | undefined =>
		place >= 0 && place + 8 <= bytes.length && Number.isInteger(place) ? view.getBigUint64(place, true) : undefined;

	/** Place of the caller's stack, before it called. */
	const baseOf = ({spBase, spOffset}: OrcEntry, sp: number, bp: number): number | undefined => {
		if (spBase === OrcBase.sp) return sp + spOffset;
		if (spBase === OrcBase.bp) return bp + spOffset;
		const isFromSp = spBase === OrcBase.spIndirect;
		const kept = isFromSp ? wordAt(sp) : spBase === OrcBase.bpIndirect ? wordAt(bp + spOffset) : undefined;
		return kept === undefined ? undefined : placeOf(kept) + (isFromSp ? spOffset : 0);
	};
	const frames = [next];
	let [ip, sp, bp, isExact] = [next, 0, placeOf(frame), true];
	while (frames.length < maxFrames) {
		// A call may be a function's last instruction.
		const entry = tables.find(isExact ? ip : ip - 1n);
		if (entry === undefined || entry.kind === 'end') break;
		const {kind, bpBase, bpOffset} = entry;
		const base = baseOf(entry, sp, bp);
		if (base === undefined) break;
		const places = kind === 'registers' ? registersAt : kind === 'interrupt' ? interruptAt : undefined;
		const caller = wordAt(places === undefined ? base - 8 : base + places.ip);
		if (caller === undefined) break;
		if (places !== undefined && ((wordAt(base + places.cs) ?? 3n) & 3n) !== 0n) break;
		const outer = places === undefined ? base : placeOf(wordAt(base + places.sp) ?? 0n);
		const kept =
			bpBase === OrcBase.frame ? wordAt(base + bpOffset) : bpBase === OrcBase.bp ? wordAt(bp + bpOffset) : undefined;
		const saved = kind === 'registers' ? wordAt(base + registersAt.bp) : kept;
		if (saved !== undefined) bp = placeOf(saved);
		// A stack that leads back is none.
		if (!(outer > sp) || caller >> 63n !== 1n) break;
		[ip, sp, isExact] = [caller, outer, places !== undefined];
		frames.push(isExact ? ip : ip - 1n);
	}
	if (frames.length === 1) return undefined;
	if (at === next) return frames;
	if (hasReturned) return [at, ...frames].slice(0, maxFrames);
	const [, first = 0n] = frames;
	// It has called: the one that it called has a frame, and its own place is that of the call.
	const hasCalled = first >= at && first < at + maxCallBytes;
	return [at, ...frames.slice(hasCalled ? 2 : 1)];
}
