/** Ranges that are kept; what a guest says of more means nothing until some have gone. */
const mostRanges = 64;
/** Ranges behind a hole, or segments that they have at least, by which it is lost and not late (RFC 6675, 2, DupThresh). */
const lostBehind = 3;

interface Range {
	readonly from: number;
	readonly to: number;
}

/** What a guest says it has beyond what it acknowledges, by positions in what was sent (RFC 2018; RFC 6675, 4). */
export class Scoreboard {
	/** In order, and apart from each other. */
	#ranges: Range[] = [];

	get isEmpty(): boolean {
		return this.#ranges.length === 0;
	}

	/** The guest has a range. @returns true where that is news */
	add(from: number, to: number): boolean {
		const touched = this.#ranges.filter((range) => range.to >= from && range.from <= to);
		if (touched.some((range) => range.from <= from && range.to >= to)) return false;
		if (touched.length === 0 && this.#ranges.length >= mostRanges) return false;
		const first = Math.min(from, touched[0]?.from ?? from);
		const last = Math.max(to, touched.at(-1)?.to ?? to);
		const before = this.#ranges.filter((range) => range.to < from);
		const behind = this.#ranges.filter((range) => range.from > to);
		this.#ranges = [...before, {from: first, to: last}, ...behind];
		return true;
	}

	/** The guest has acknowledged all until `position`. */
	release(position: number): void {
		if ((this.#ranges[0]?.from ?? position) >= position) return;
		const left = this.#ranges.filter(({to}) => to > position);
		this.#ranges = left.map(({from, to}) => ({from: Math.max(from, position), to}));
	}

	/** Nothing that the guest has said counts: it may have dropped what it had (RFC 2018, 8). */
	clear(): void {
		this.#ranges = [];
	}

	/** The first position from `position` on that the guest has not said it has. */
	past(position: number): number {
		return this.#ranges.find(({from, to}) => from <= position && position < to)?.to ?? position;
	}

	/** Where the next range begins that the guest has. */
	nextFrom(position: number): number {
		return this.#ranges.find(({from}) => from >= position)?.from ?? Number.POSITIVE_INFINITY;
	}

	/** True where what is missing at a position is lost: enough behind it has come. */
	isLost(position: number, mss: number): boolean {
		const behind = this.#ranges.filter(({from}) => from > position);
		return isLost(behind.length, bytesOf(behind), mss);
	}

	/**
	 * Bytes that are under way (RFC 6675, 4, SetPipe): of all that was sent those that the guest has not, but for the lost ones, of which
	 * those until `repeated` were sent again.
	 * @param acknowledged - of what was sent, where it begins @param sent - and where it ends
	 */
	underWay(acknowledged: number, sent: number, repeated: number, mss: number): number {
		let bytes = 0;
		let from = acknowledged;
		let [behind, bytesBehind] = [this.#ranges.length, bytesOf(this.#ranges)];
		for (const range of [...this.#ranges, {from: sent, to: sent}]) {
			if (!isLost(behind, bytesBehind, mss)) bytes += range.from - from;
			bytes += Math.max(0, Math.min(range.from, repeated) - from);
			from = range.to;
			behind--;
			bytesBehind -= range.to - range.from;
		}
		return bytes;
	}
}

const bytesOf = (ranges: readonly Range[]): number => ranges.reduce((sum, {from, to}) => sum + to - from, 0);
const isLost = (ranges: number, bytes: number, mss: number): boolean =>
	ranges >= lostBehind || bytes > (lostBehind - 1) * mss;
