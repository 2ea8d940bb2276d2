/** Runs of bytes beyond a gap that are kept; a guest that sends more sends them again. */
const mostRuns = 64;

interface Run {
	readonly from: number;
	readonly bytes: Uint8Array;
}

const endOf = ({from, bytes}: Run): number => from + bytes.length;

/**
 * What a guest has sent beyond what is missing, by positions in its stream. Bytes that are kept stay as they are: what comes again
 * for the same place means nothing.
 */
export class OutOfOrder {
	readonly #runs: Run[] = [];
	#bytes = 0;

	/** Bytes that are kept. */
	get size(): number {
		return this.#bytes;
	}

	/** Keeps a copy of what is new of `bytes`. */
	add(from: number, bytes: Uint8Array): void {
		let place = from;
		const end = from + bytes.length;
		for (let i = 0; i <= this.#runs.length && place < end; i++) {
			const run = this.#runs[i];
			if (run !== undefined && endOf(run) <= place) continue;
			const until = Math.min(end, run?.from ?? end);
			if (until > place) {
				if (this.#runs.length >= mostRuns) return;
				this.#runs.splice(i, 0, {from: place, bytes: bytes.slice(place - from, until - from)});
				this.#bytes += until - place;
				i++;
			}
			place = run === undefined ? end : Math.max(until, endOf(run));
		}
	}

	/** Takes the run that holds the byte at `position`, from that byte on; what lies before it is dropped. */
	take(position: number): Uint8Array | undefined {
		for (let run = this.#runs[0]; run !== undefined && run.from <= position; run = this.#runs[0]) {
			this.#runs.shift();
			this.#bytes -= run.bytes.length;
			if (endOf(run) > position) return run.bytes.subarray(position - run.from);
		}
		return undefined;
	}

	/** Ranges that are kept, joined where they touch, for SACK: as many as fit with no other option (RFC 2018, 3). */
	ranges(): readonly {readonly from: number; readonly to: number}[] {
		const ranges: {from: number; to: number}[] = [];
		for (const run of this.#runs) {
			const last = ranges.at(-1);
			if (last?.to === run.from) last.to = endOf(run);
			else ranges.push({from: run.from, to: endOf(run)});
		}
		return ranges.slice(0, 4);
	}

	clear(): void {
		this.#runs.length = 0;
		this.#bytes = 0;
	}
}
