/**
 * Spans that are kept at most, so that an acknowledgment costs no more than a walk through them. With more than that what a guest says it has counts
 * only where it parts none, and what is sent joins what was sent before it, or is sent for the whole of a span.
 */
const mostSpans = 256;

/** Under way, as far as is known; said to have come, by SACK (RFC 2018); or lost, and not sent again yet. */
export type SpanState = 'under-way' | 'has' | 'lost';

/** A part of what was sent and is not acknowledged, which was sent at once. */
export interface Span {
	readonly from: number;
	/** Behind its last position. */
	readonly to: number;
	/** When it was sent last, in milliseconds. */
	readonly sentMs: number;
	/** Which transmission of the connection that was: of two that clocks do not tell apart too the greater is the later one. */
	readonly order: number;
	/** It was sent before: what comes of it may have come of that (Karn). */
	readonly isAgain: boolean;
	readonly state: SpanState;
}

type Mutable<T> = {-readonly [K in keyof T]: T[K]};

/** Told of a part that the guest has now, and had not before. */
export type Delivered = (span: Span) => void;

/** What was sent and is not acknowledged, by positions in what is sent: when each part was, and what became of it (RFC 8985, 5.2; RFC 6675, 4). */
export class Flight {
	/** In order, without gaps. */
	readonly #spans: Mutable<Span>[] = [];
	#order = 0;
	/** Bytes by their state. */
	#underWay = 0;
	#has = 0;
	#lost = 0;
	/** Something was sent again since nothing was under way. */
	#hasRepeats = false;

	/** The latest transmission. */
	get order(): number {
		return this.#order;
	}

	/** Bytes that are under way (RFC 6675, 4, pipe). */
	get underWay(): number {
		return this.#underWay;
	}

	get hasAny(): boolean {
		return this.#has > 0;
	}

	/** Nothing was lost, sent again or said to have come: what is under way was sent behind all that has come. */
	get isPlain(): boolean {
		return this.#has === 0 && this.#lost === 0 && !this.#hasRepeats;
	}

	/** The first part that is lost. */
	get firstLost(): Span | undefined {
		return this.#lost === 0 ? undefined : this.#spans.find(({state}) => state === 'lost');
	}

	/** True where the guest has said that it has what it says is missing now: it has dropped it (RFC 2018, 8). */
	get hasReneged(): boolean {
		return this.#spans[0]?.state === 'has';
	}

	/** Segments that the guest has beyond what is missing, a part of one counting as one (RFC 8985, 5.3, RACK.segs_sacked). */
	segmentsBeyond(mss: number): number {
		let segments = 0;
		for (const {from, to, state} of this.#spans) if (state === 'has') segments += Math.ceil((to - from) / mss);
		return segments;
	}

	/** A part is sent: the next one, or one that was sent before, whose span counts as a whole where no more can be told apart. */
	sent(from: number, to: number, sentMs: number): void {
		const order = ++this.#order;
		const last = this.#spans.at(-1);
		if (last !== undefined && from < last.to) this.#sentAgain(from, to, sentMs);
		else {
			if (last === undefined) this.#hasRepeats = false;
			this.#underWay += to - from;
			if (last?.state === 'under-way' && this.#spans.length >= mostSpans) Object.assign(last, {to, sentMs, order});
			else this.#spans.push({from, to, sentMs, order, isAgain: false, state: 'under-way'});
		}
	}

	/** The guest acknowledges all until a position. */
	acknowledged(position: number, delivered: Delivered): void {
		let whole = 0;
		for (const span of this.#spans) {
			if (span.from >= position) break;
			const to = Math.min(span.to, position);
			this.#count(span.state, span.from - to);
			if (span.state !== 'has') delivered(to === span.to ? span : {...span, to});
			if (to === span.to) whole++;
			else span.from = position;
		}
		if (whole > 0) this.#spans.splice(0, whole);
	}

	/** The guest says that it has a part, of what is not acknowledged. @returns true where that is news */
	selected(from: number, to: number, delivered: Delivered): boolean {
		this.#part(from);
		this.#part(to);
		let isNews = false;
		for (const span of this.#spans) {
			if (span.from >= to) break;
			if (span.from < from || span.to > to || span.state === 'has') continue;
			delivered(span);
			this.#become(span, 'has');
			isNews = true;
		}
		if (isNews) this.#join();
		return isNews;
	}

	/** Marks what is lost of what is under way. @returns the latest transmission of what is, undefined where nothing is */
	lose(isLost: (span: Span) => boolean): number | undefined {
		let latest: number | undefined;
		for (const span of this.#spans) {
			if (span.state !== 'under-way' || !isLost(span)) continue;
			this.#become(span, 'lost');
			latest = Math.max(latest ?? 0, span.order);
		}
		if (latest !== undefined) this.#join();
		return latest;
	}

	/** The first bytes are lost. */
	loseFirst(bytes: number): void {
		const first = this.#spans[0];
		if (first === undefined) return;
		this.#part(first.from + bytes);
		if (first.state === 'under-way') this.#become(first, 'lost');
	}

	/** All is lost that may be, also what the guest has said it has where `isForgotten`. */
	loseAll(isForgotten: boolean): void {
		for (const span of this.#spans) if (span.state !== 'has' || isForgotten) this.#become(span, 'lost');
		this.#join();
	}

	#sentAgain(from: number, to: number, sentMs: number): void {
		const order = this.#order;
		this.#part(from);
		this.#part(to);
		this.#hasRepeats = true;
		for (const span of this.#spans) {
			if (span.from >= to || span.to <= from || span.state === 'has') continue;
			this.#become(span, 'under-way');
			Object.assign(span, {sentMs, order, isAgain: true});
		}
	}

	#become(span: Mutable<Span>, state: SpanState): void {
		const bytes = span.to - span.from;
		this.#count(span.state, -bytes);
		this.#count(state, bytes);
		span.state = state;
	}

	#count(state: SpanState, bytes: number): void {
		if (state === 'under-way') this.#underWay += bytes;
		else if (state === 'has') this.#has += bytes;
		else this.#lost += bytes;
	}

	/** Has a span begin at a position, where there is room for one more; what the guest has is not parted. */
	#part(at: number): void {
		if (this.#spans.length >= mostSpans) return;
		const index = this.#spans.findIndex(({from, to}) => from < at && at < to);
		const span = this.#spans[index];
		if (span === undefined || span.state === 'has') return;
		this.#spans.splice(index + 1, 0, {...span, from: at});
		span.to = at;
	}

	/** Makes one of neighbors that the guest has, and of neighbors that are lost. */
	#join(): void {
		const joined = this.#spans;
		let kept = 0;
		for (const span of joined) {
			const before = joined[kept - 1];
			if (before !== undefined && before.state === span.state && span.state !== 'under-way') {
				before.to = span.to;
				before.order = Math.max(before.order, span.order);
				before.isAgain ||= span.isAgain;
			} else joined[kept++] = span;
		}
		joined.length = kept;
	}
}
