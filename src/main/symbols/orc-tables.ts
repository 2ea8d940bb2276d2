/** A register from which a frame's addresses are counted (Linux, arch/x86/include/asm/orc_types.h). */
export const OrcBase = {none: 0, frame: 1, bp: 4, sp: 5, bpIndirect: 8, spIndirect: 9} as const;

/** Kinds of frames: what a call leaves on the stack, an interrupt with all registers, and one with those of the processor alone. */
export type OrcKind = 'call' | 'registers' | 'interrupt' | 'end';

/** How code uses the stack. */
export interface OrcEntry {
	readonly kind: OrcKind;
	/** A number of {@link OrcBase}, and the distance from it to where the caller's stack was. */
	readonly spBase: number;
	readonly spOffset: number;
	/** The same for where RBP of the caller is; none: it is in RBP still. */
	readonly bpBase: number;
	readonly bpOffset: number;
}

/** Entries at most: several times what a kernel for hardware has. */
const maxEntries = 2 ** 22;
const entryBytes = 6;
/** Kinds by their number since Linux 6.4, and before. */
const kinds: Readonly<Record<'new' | 'old', readonly (OrcKind | undefined)[]>> = {
	new: ['end', 'end', 'call', 'registers', 'interrupt'],
	old: ['call', 'registers', 'interrupt'],
};
const [newMask, oldMask, newCall] = [7, 3, 2];

/** What a Linux kernel knows of how its code uses the stack (ORC, Documentation/arch/x86/orc-unwinder.rst). */
export class OrcTables {
	readonly stext: bigint;
	/** Distances of code from `stext`, ascending. */
	readonly #starts: Int32Array;
	readonly #entries: Buffer;
	readonly #isNew: boolean;

	/**
	 * @param starts - where each entry begins, as a distance from `stext`
	 * @param entries - as the kernel has them
	 */
	constructor(stext: bigint, starts: Int32Array, entries: Buffer) {
		this.stext = stext;
		this.#starts = starts;
		this.#entries = entries;
		// Most frames are those of calls, whose number differs.
		let calls = 0;
		for (let index = 0; index < starts.length; index++) if (((this.#flags(index) >> 8) & newMask) === newCall) calls++;
		this.#isNew = calls > starts.length / 2;
	}

	/** The entry of an instruction; undefined where the kernel knows none. */
	find(address: bigint): OrcEntry | undefined {
		const distance = Number(BigInt.asIntN(64, address - this.stext));
		const starts = this.#starts;
		let [low, high] = [0, starts.length];
		while (low < high) {
			const middle = (low + high) >> 1;
			if ((starts[middle] as number) <= distance) low = middle + 1;
			else high = middle;
		}
		// The last one marks the end.
		return low === 0 || low >= starts.length ? undefined : this.#entry(low - 1);
	}

	#flags(index: number): number {
		return this.#entries.readUInt16LE(index * entryBytes + 4);
	}

	#entry(index: number): OrcEntry {
		const flags = this.#flags(index);
		const kind = this.#isNew ? kinds.new[(flags >> 8) & newMask] : kinds.old[(flags >> 8) & oldMask];
		return {
			kind: kind ?? 'end',
			spBase: flags & 15,
			spOffset: this.#entries.readInt16LE(index * entryBytes),
			bpBase: (flags >> 4) & 15,
			bpOffset: this.#entries.readInt16LE(index * entryBytes + 2),
		};
	}
}

/**
 * Reads the tables of a kernel.
 * @param addressOf - of its symbols
 * @param bytesOf - of its image, as many as there are
 * @returns undefined where it has none, or they make no sense
 */
export function readOrcTables(
	stext: bigint,
	addressOf: (name: string) => bigint | undefined,
	bytesOf: (address: bigint, length: number) => Buffer,
): OrcTables | undefined {
	const [first, end] = [addressOf('__start_orc_unwind_ip'), addressOf('__stop_orc_unwind_ip')];
	const entries = addressOf('__start_orc_unwind');
	if (first === undefined || end === undefined || entries === undefined) return undefined;
	const count = Number(end - first) / 4;
	if (!(count >= 1 && count <= maxEntries && Number.isInteger(count))) return undefined;
	const places = bytesOf(first, count * 4);
	const raw = bytesOf(entries, count * entryBytes);
	if (places.length < count * 4 || raw.length < count * entryBytes) return undefined;
	const origin = Number(BigInt.asIntN(64, first - stext));
	const starts = new Int32Array(count);
	for (let index = 0; index < count; index++) {
		starts[index] = origin + index * 4 + places.readInt32LE(index * 4);
		if (index > 0 && (starts[index] as number) < (starts[index - 1] as number)) return undefined;
	}
	return new OrcTables(stext, starts, raw);
}
