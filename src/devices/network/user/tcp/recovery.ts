import {Congestion, type Loss} from './congestion.ts';
import {Flight, type Span} from './flight.ts';
import {Rack} from './rack.ts';
import {RoundTrip} from './round-trip.ts';

/** The least wait for a probe, in milliseconds: about what Linux has, whose clock ticks. */
const leastProbeMs = 10;
/** How long a guest may keep an acknowledgment of a single segment back (RFC 8985, 7.2, TLP.max_ack_delay): Linux and Windows do for 40 to 50 ms. */
const mostDelayMs = 50;

/** What a guest says of what it has. */
export interface Acknowledgment {
	/** All until here. */
	readonly position: number;
	/** Its SACK option's (RFC 2018, 3), as it has them. */
	readonly blocks: readonly (readonly [from: number, to: number])[];
	/** It says nothing new, and has no data. */
	readonly isDuplicate: boolean;
}

/** What was sent to a guest, what of it is lost, and when it is sent again (RFC 5681, 6298, 6675, 8985). Positions count bytes from our SYN. */
export class Recovery {
	#mss = 0;
	#takesSack = false;
	#congestion = new Congestion(0);
	readonly #flight = new Flight();
	readonly #rack = new Rack();
	readonly #roundTrip = new RoundTrip();
	#acknowledged = 0;
	#sent = 0;
	/** When what may be late counts as lost, and when a probe is sent. */
	#reorderedMs: number | undefined;
	#probeMs: number | undefined;
	/** The probe under way (RFC 8985, 7.1, TLP.end_seq and TLP.is_retrans), and whether a round trip was measured since the last one. */
	#probe: {readonly end: number; readonly isAgain: boolean; readonly underWay: number} | undefined;
	#mayProbe = true;

	/** The guest has said what it takes. */
	learn(mss: number, takesSack: boolean): void {
		this.#mss = mss;
		this.#takesSack = takesSack;
		this.#congestion = new Congestion(mss);
	}

	/** All until here is acknowledged. */
	get acknowledged(): number {
		return this.#acknowledged;
	}

	/** All until here was sent once. */
	get sent(): number {
		return this.#sent;
	}

	/** Bytes that may be under way besides those that are; below 0 where too many are. */
	get room(): number {
		return this.#congestion.window - this.#flight.underWay;
	}

	/** What is to be sent again first. */
	get firstLost(): Span | undefined {
		return this.#flight.firstLost;
	}

	/** How long an acknowledgment is waited for, in milliseconds. */
	get timeoutMs(): number {
		return this.#roundTrip.timeoutMs;
	}

	/** When {@link expire} is to be called, whatever has come until then. */
	get dueMs(): number | undefined {
		return this.#reorderedMs ?? this.#probeMs;
	}

	/** Something was sent, for the first time or not. */
	transmitted(from: number, to: number, nowMs: number): void {
		const isNew = to > this.#sent;
		this.#flight.sent(from, to, nowMs);
		this.#sent = Math.max(this.#sent, to);
		if (isNew) this.#awaitProbe(nowMs);
	}

	/** The SYN was answered. @param isLate - it was sent more than once */
	synAnswered(isLate: boolean, nowMs: number): void {
		this.answered({position: 1, blocks: [], isDuplicate: false}, nowMs);
		if (isLate) this.#roundTrip.afterLateSyn();
	}

	/**
	 * The guest acknowledges something that was sent, and nothing less than before.
	 * @returns true where what is lost first is to be sent again whatever is under way
	 */
	answered({position, blocks, isDuplicate}: Acknowledgment, nowMs: number): boolean {
		const bytes = position - this.#acknowledged;
		this.#acknowledged = position;
		let timed: Span | undefined;
		let isAmbiguous = false;
		const delivered = (span: Span) => {
			this.#rack.delivered(span, nowMs);
			isAmbiguous ||= span.isAgain;
			if (timed === undefined || span.order > timed.order) timed = span;
		};
		this.#flight.acknowledged(position, delivered);
		const cameTwice = blocks.length > 0 && saysTwice(position, blocks);
		if (cameTwice) this.#rack.cameTwice(position, this.#sent);
		let isNews = false;
		for (const [from, to] of blocks.length > 1 ? blocks.toSorted(([one], [other]) => one - other) : blocks) {
			// What was never sent is a lie.
			const isTrue = from > position && from < to && to <= this.#sent;
			if (isTrue) isNews = this.#flight.selected(from, to, delivered) || isNews;
		}
		if (timed !== undefined && !isAmbiguous) {
			this.#roundTrip.took(nowMs - timed.sentMs);
			this.#mayProbe = true;
		}
		const isPartial = bytes > 0 && this.#progress(bytes);
		const isProbeOver = isDuplicate && blocks.length === 0;
		this.#judgeProbe(cameTwice || (isProbeOver && position === this.#probe?.end));
		if (bytes > 0) this.#awaitProbe(nowMs);
		if (this.#flight.hasReneged) {
			this.#flight.loseAll(true);
			this.#congestion.timedOut(this.#loss(this.#flight.order));
		}
		if (isPartial) this.#flight.loseFirst(this.#mss);
		if (this.#takesSack && (isNews || bytes > 0)) return this.#detect(nowMs) || isPartial;
		if (isDuplicate && this.#sent > position && !this.#flight.hasAny && this.#congestion.duplicate()) {
			this.#flight.loseFirst(this.#mss);
			return this.#congestion.lost(this.#loss(this.#flight.order));
		}
		return isPartial;
	}

	/** The time of {@link dueMs} has come. @returns what is to be sent: what is lost, or a probe, of which {@link probed} is to be told */
	expire(nowMs: number): 'lost' | 'probe' | undefined {
		if (this.#reorderedMs !== undefined) return this.#detect(nowMs) ? 'lost' : undefined;
		this.#probeMs = undefined;
		return 'probe';
	}

	/** The guest stands still: it cannot be late. */
	putOff(untilMs: number): void {
		if (this.#reorderedMs !== undefined) this.#reorderedMs = Math.max(this.#reorderedMs, untilMs);
		if (this.#probeMs !== undefined) this.#probeMs = Math.max(this.#probeMs, untilMs);
	}

	/** A probe was sent. */
	probed(isAgain: boolean): void {
		this.#probe = {end: this.#sent, isAgain, underWay: this.#sent - this.#acknowledged};
		this.#mayProbe = false;
		this.#probeMs = undefined;
	}

	/** Nothing of what was sent was acknowledged in time: all that the guest has not said it has is lost (RFC 6298, 5.4 to 5.6; RFC 8985, 6.3). */
	timedOut(): void {
		this.#roundTrip.backOff();
		this.#flight.loseAll(false);
		this.#end();
		this.#congestion.timedOut(this.#loss(this.#flight.order));
	}

	/** Something was asked in vain that has nothing to do with losses. */
	backOff(): void {
		this.#roundTrip.backOff();
	}

	/** A guest that had no room has some: what was sent meanwhile it has dropped. */
	windowOpened(): void {
		this.#flight.loseAll(false);
	}

	#progress(bytes: number): boolean {
		const wasRecovering = this.#congestion.isRecovering;
		const isPartial = this.#congestion.acknowledged(bytes, this.#acknowledged);
		if (wasRecovering && !this.#congestion.isRecovering) this.#rack.recovered();
		return isPartial;
	}

	/** Whether a probe has repaired a loss that nothing else tells of (RFC 8985, 7.4.2). */
	#judgeProbe(wasInVain: boolean): void {
		const probe = this.#probe;
		if (probe === undefined || this.#acknowledged < probe.end) return;
		if (probe.isAgain && !wasInVain && this.#acknowledged === probe.end) return;
		this.#probe = undefined;
		if (!probe.isAgain || wasInVain) return;
		this.#congestion.repaired({...this.#loss(this.#flight.order), acknowledged: this.#sent - probe.underWay});
	}

	/** Looks what is lost by now. @returns true where the window is smaller by that */
	#detect(nowMs: number): boolean {
		if (this.#flight.isPlain) {
			this.#reorderedMs = undefined;
			return false;
		}
		const lateness = {
			isRecovering: this.#congestion.isRecovering,
			segmentsBeyond: this.#flight.segmentsBeyond(this.#mss),
			smoothedMs: this.#roundTrip.smoothedMs ?? 0,
		};
		let waitMs = 0;
		const order = this.#flight.lose((span) => {
			const overdueMs = this.#rack.overdueMs(span, nowMs, lateness);
			if (overdueMs !== undefined) waitMs = Math.max(waitMs, overdueMs);
			return overdueMs !== undefined && overdueMs <= 0;
		});
		this.#reorderedMs = waitMs > 0 ? nowMs + waitMs : undefined;
		if (order === undefined || !this.#congestion.lost(this.#loss(order))) return false;
		this.#probe = this.#probeMs = undefined;
		return true;
	}

	/** Has a probe sent when nothing comes (RFC 8985, 7.2), where nothing else tells of losses. */
	#awaitProbe(nowMs: number): void {
		this.#probeMs = undefined;
		const {smoothedMs, timeoutMs} = this.#roundTrip;
		const under = this.#sent - this.#acknowledged;
		if (!this.#takesSack || !this.#mayProbe || smoothedMs === undefined || under === 0) return;
		if (this.#congestion.isRecovering || this.#flight.hasAny) return;
		const delayMs = Math.max(leastProbeMs, 2 * smoothedMs) + (under <= this.#mss ? mostDelayMs : 0);
		if (delayMs < timeoutMs) this.#probeMs = nowMs + delayMs;
	}

	#end(): void {
		this.#probe = this.#probeMs = this.#reorderedMs = undefined;
	}

	#loss(order: number): Loss {
		return {
			order,
			latest: this.#flight.order,
			acknowledged: this.#acknowledged,
			sent: this.#sent,
			isSelective: this.#flight.hasAny,
		};
	}
}

/** True where the first block is of what has come before (RFC 2883, 4). */
function saysTwice(position: number, [first, second]: Acknowledgment['blocks']): boolean {
	if (first === undefined || first[0] >= first[1]) return false;
	return first[0] < position || (second !== undefined && first[0] >= second[0] && first[1] <= second[1]);
}
