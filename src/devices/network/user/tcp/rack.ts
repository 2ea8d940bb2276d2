import type {Span} from './flight.ts';

/** Segments beyond what is missing by which it is lost and not late (RFC 8985, 6.2, DupThresh). */
const lostBeyond = 3;
/** The least that is waited for what may be late, in milliseconds, where anything is: a guest's processors have turns. */
const leastMs = 1;
/** Recoveries that a window stays wider, without anything that came twice (RFC 8985, 6.2, step 4). */
const mostPersist = 16;
/** Steps of a quarter of a round trip that a window has, at most; the smoothed round trip bounds it besides. */
const mostSteps = 255;

/** What decides how late something may be. */
export interface Lateness {
	readonly isRecovering: boolean;
	/** See `Flight.segmentsBeyond`. */
	readonly segmentsBeyond: number;
	readonly smoothedMs: number;
}

/** Tells by time what is lost (RFC 8985, 6.2): what was sent before something that has come, and should have come a while ago; repeats too. */
export class Rack {
	/** Of what was sent latest of all that has come (RACK.rtt, RACK.xmit_ts and RACK.end_seq). */
	#rttMs = 0;
	#latest = {order: 0, to: 0};
	#leastRttMs = Number.POSITIVE_INFINITY;
	/** Behind what has come of that which was sent last (RACK.fack). */
	#farthest = 0;
	#hasSeenReordering = false;
	/** Of the window (RACK.reo_wnd_mult), and recoveries that they are left. */
	#steps = 1;
	#persist = 0;
	/** Until what position another thing that came twice says no more (RACK.dsack_round). */
	#round: number | undefined;

	/** The guest has something now (steps 1 to 3). */
	delivered({order, to, sentMs, isAgain}: Span, nowMs: number): void {
		const rttMs = nowMs - sentMs;
		if (to > this.#farthest) this.#farthest = to;
		else if (to < this.#farthest && !isAgain) this.#hasSeenReordering = true;
		if (!isAgain) this.#leastRttMs = Math.min(this.#leastRttMs, rttMs);
		// What has come is what was sent before.
		else if (rttMs < this.#leastRttMs) return;
		if (!isAfter({order, to}, this.#latest)) return;
		this.#rttMs = rttMs;
		this.#latest = {order, to};
	}

	/** Something came twice (RFC 2883): it was late, and taken for lost. @param acknowledged - until where all has come @param sent - and was sent */
	cameTwice(acknowledged: number, sent: number): void {
		if (this.#round !== undefined && acknowledged < this.#round) return;
		this.#round = sent;
		this.#steps = Math.min(mostSteps, this.#steps + 1);
		this.#persist = mostPersist;
	}

	/** A recovery is over. */
	recovered(): void {
		if (this.#persist > 0 && --this.#persist === 0) this.#steps = 1;
	}

	/** How long it is until a span under way counts as lost, in milliseconds (step 5). @returns undefined where nothing tells of its loss */
	overdueMs({order, to, sentMs}: Span, nowMs: number, lateness: Lateness): number | undefined {
		if (!isAfter(this.#latest, {order, to})) return undefined;
		return sentMs + this.#rttMs + this.#windowMs(lateness) - nowMs;
	}

	/** RACK.reo_wnd (step 4). */
	#windowMs({isRecovering, segmentsBeyond, smoothedMs}: Lateness): number {
		if (!this.#hasSeenReordering && (isRecovering || segmentsBeyond >= lostBeyond)) return 0;
		return Math.max(leastMs, Math.min((this.#steps * this.#leastRttMs) / 4, smoothedMs));
	}
}

type Transmission = Pick<Span, 'order' | 'to'>;

const isAfter = (one: Transmission, other: Transmission): boolean =>
	one.order > other.order || (one.order === other.order && one.to > other.to);
