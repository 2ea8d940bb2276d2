import type {FunctionBuilder, Local} from '#support/wasm';
import type {LookingAccess, SharedLooks} from '#vcpu-worker/software/interpreter';

/** Longest window in bytes: the longer, the more often it lies across pages, where the interpreter has the rest of the block. */
const maxBytes = 256;

/** An access, and how often what had been found before it had come to count no more. */
interface Noted {
	readonly access: LookingAccess;
	readonly time: number;
}

/** Accesses that are near to each other. */
interface Window {
	readonly accesses: LookingAccess[];
	readonly time: number;
	begin: bigint;
	end: bigint;
	isWrite: boolean;
}

/** Looks of the accesses of a block: those are written anew that go by one look, as their addresses are the same but for constants. */
export class BlockLooks implements SharedLooks {
	readonly #f: FunctionBuilder;
	readonly #differ: Local<'i64'>;
	#noted: Noted[] = [];
	#time = 0;
	/** Locals for places of windows, which blocks have in turn. */
	readonly #places: Local<'i64'>[] = [];

	/** @param differ - what tells the bits in which addresses are not alike that ought to be in one page */
	constructor(f: FunctionBuilder, differ: Local<'i64'>) {
		this.#f = f;
		this.#differ = differ;
	}

	note(access: LookingAccess): void {
		// What has been taken back lay behind.
		while ((this.#noted.at(-1)?.access.end ?? 0) > access.begin) this.#noted.pop();
		this.#noted.push({access, time: this.#time});
	}

	end(): void {
		this.#time++;
	}

	/** The block is written: has accesses go by one look, and forgets them. */
	share(): void {
		const parts = this.#windows().flatMap(({accesses, begin, end, isWrite}, index) => {
			const place = this.#places[index] ?? this.#f.lastingLocal('i64');
			this.#places[index] = place;
			const window = {bytes: Number(end - begin), isWrite, place, differ: this.#differ};
			return accesses.map((access, at) => {
				const before = Number(access.sum.offset - begin);
				const write = (copy: (from: number, to: number) => void) =>
					at === 0
						? access.look(before, window, () => copy(access.missedBegin, access.missedEnd))
						: access.goBy(place, before);
				return {begin: access.begin, end: access.end, write};
			});
		});
		this.#noted = [];
		this.#f.rewrite(parts.sort((one, other) => one.begin - other.begin));
	}

	/** Windows that several accesses have. */
	#windows(): Window[] {
		const windows: Window[] = [];
		const last = new Map<object, Window>();
		for (const {access, time} of this.#noted) {
			if (access.end > this.#f.out.length) continue;
			const {sum, bytes, isWrite} = access;
			const [begin, end] = [sum.offset, sum.offset + BigInt(bytes)];
			const near = last.get(sum.of);
			const [low, high] = [least(near?.begin ?? begin, begin), most(near?.end ?? end, end)];
			if (near === undefined || near.time !== time || high - low > maxBytes) {
				const window = {accesses: [access], time, begin, end, isWrite};
				last.set(sum.of, window);
				windows.push(window);
			} else {
				Object.assign(near, {begin: low, end: high, isWrite: near.isWrite || isWrite});
				near.accesses.push(access);
			}
		}
		return windows.filter(({accesses}) => accesses.length > 1);
	}
}

const least = (one: bigint, other: bigint): bigint => (one < other ? one : other);
const most = (one: bigint, other: bigint): bigint => (one > other ? one : other);
