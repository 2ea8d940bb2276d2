import {type HardwareBreakpoint, maxHardwareBreakpoints} from '#vcpu-worker/debug';

const lengths = [8, 4, 2, 1] as const;

/**
 * The aligned pieces of 1, 2, 4 or 8 bytes that cover these bytes, as debug registers want them; undefined when they are
 * more than a processor has registers.
 */
export function watchPieces(
	address: bigint,
	length: number,
	kind: 'write' | 'access',
): readonly HardwareBreakpoint[] | undefined {
	const pieces: HardwareBreakpoint[] = [];
	let at = address;
	for (let left = length; left > 0; ) {
		if (pieces.length === maxHardwareBreakpoints) return undefined;
		const size = lengths.find((bytes) => bytes <= left && at % BigInt(bytes) === 0n) ?? 1;
		pieces.push({address: at, kind, length: size});
		at = BigInt.asUintN(64, at + BigInt(size));
		left -= size;
	}
	return pieces.length === 0 ? undefined : pieces;
}
