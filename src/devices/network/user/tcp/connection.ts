import type {Timer} from '#support/reactor';
import type {Path} from '../ip/index.ts';
import {Tcp, TcpFlag, TcpOption} from '../packets/index.ts';
import type {HostStream} from './host-stream.ts';
import type {Flushed, TcpLink} from './link.ts';
import {OutOfOrder} from './out-of-order.ts';
import {Recovery} from './recovery.ts';
import {readSackBlocks, readSynOptions, type Segment, type SynOptions} from './segment.ts';
import {SendQueue} from './send-queue.ts';
import type {Outgoing} from './transmit.ts';

/**
 * Where a connection is: the host's side is being connected; our SYN was sent, by ourselves or in answer; data flows; both directions are
 * done, and the guest may not know it; it is gone.
 */
export type Phase = 'connecting' | 'syn-sent' | 'syn-received' | 'open' | 'time-wait' | 'closed';

/** Our windows are in units of 128 bytes, so that 16 bits hold 8 MiB. */
const ourScale = 7;
/** Without an option (RFC 9293, 3.7.1), and the least that is believed. */
const [usualMss, leastMss] = [536, 64];
/** Times that something is sent in vain before the guest counts as gone (RFC 9293, 3.8.3, R2). */
const mostRepeats = 12;
/** Data of one frame, at most, whether or not the NIC cuts it: less than IP's length can say, behind all options. */
const mostFrameData = 65_160;
/** How long the tuple of a connection that we closed first is remembered; nothing old travels on a link of memory. */
const timeWaitMs = 1000;

/** The ports of a connection, and its addresses on the link. */
export interface TcpEnds {
	readonly path: Path;
	/** The guest's. */
	readonly guestPort: number;
	/** That which the guest connects to, or is connected from. */
	readonly port: number;
}

const empty = new Uint8Array();

/**
 * A guest's TCP connection, which ends here (RFC 9293): a stream of the host's is its other side. Positions count bytes of each direction from
 * its SYN, which is 0, and do not wrap.
 */
export class TcpConnection implements Flushed {
	readonly ends: TcpEnds;
	phase: Phase = 'connecting';
	/** When the guest's last segment came. */
	heardMs: number;
	readonly #link: TcpLink;
	readonly #closed: () => void;
	#host: HostStream | undefined;
	#dropped: (() => void) | undefined;

	/** Of what we send. */
	readonly #first: number;
	readonly #queue = new SendQueue();
	/** What of it the guest has, and what is sent again. */
	readonly #recovery = new Recovery();
	/** Position of our FIN, once the host's side has ended. */
	#end: number | undefined;
	#mss = usualMss;
	#peerScale = 0;
	#peerWindow = 0;
	/** Sequence positions of the segment that the window is from. */
	#windowFrom = {sequence: -1, acknowledgment: -1};

	/** Of what the guest sends. */
	#guestFirst = 0;
	#received = 0;
	/** The window's right edge, as the guest knows it. */
	#edge = 0;
	#scale = 0;
	#takesSack = false;
	readonly #beyond = new OutOfOrder();
	/** Position of the guest's FIN, once it has said so, and whether all before it has come. */
	#guestEnd: number | undefined;
	#guestEnded = false;
	#ackDue = false;

	#repeats = 0;
	/** When an answer is late, or what waits is to be looked at; the timer looks at what the recovery waits for besides. */
	#deadline: number | undefined;
	#timer: Timer | undefined;
	/** When the timer expires. */
	#timerMs = 0;
	/** Bytes that the budget has been told of. */
	#counted = 0;

	/** @param first - the sequence number of our SYN @param closed - told once, when nothing of it is left */
	constructor(ends: TcpEnds, link: TcpLink, first: number, closed: () => void) {
		this.ends = ends;
		this.#link = link;
		this.heardMs = link.clock.now();
		this.#first = first;
		this.#closed = closed;
	}

	/** Bytes that wait: for the guest, for the host. */
	get waiting(): {readonly guest: number; readonly host: number} {
		return {guest: this.#queue.length, host: this.#host?.waiting ?? 0};
	}

	/** What ends it for the guest, as things are now. */
	get resetNow(): Outgoing {
		return this.#header(TcpFlag.RST | TcpFlag.ACK, this.#sent, empty);
	}

	/** The guest's SYN, which nobody has answered yet. */
	opened(segment: Segment): void {
		this.#guestFirst = segment.sequence;
		this.#received = 1;
		this.#learn(readSynOptions(segment), segment);
	}

	/** The host's side is connected: the guest's SYN is answered. */
	accept(host: HostStream): void {
		if (this.phase !== 'connecting') {
			host.abort();
			return;
		}
		this.#attach(host);
		this.phase = 'syn-received';
		this.#edge = 1 + Math.min(0xffff, this.#link.budget.share);
		this.#sendSyn();
	}

	/** Connects to the guest, for a stream of the host's. */
	connect(host: HostStream): void {
		this.#attach(host);
		this.phase = 'syn-sent';
		this.#edge = Math.min(0xffff, this.#link.budget.share);
		this.#sendSyn();
	}

	/** The host's side cannot be had: the guest's SYN is refused. */
	refuse(): void {
		if (this.phase === 'connecting') this.#transmit(TcpFlag.RST | TcpFlag.ACK, 0);
		this.#finish();
	}

	/** Ends it while the host's side is being connected, without a word to the guest. */
	drop(): void {
		if (this.phase === 'connecting') this.#finish();
	}

	/** Calls `dropped` when it ends before the host's side is connected. */
	onDrop(dropped: () => void): void {
		this.#dropped = dropped;
	}

	/** Ends it at once, for both sides. */
	reset(): void {
		if (this.phase === 'closed') return;
		if (this.phase !== 'connecting' && this.phase !== 'time-wait')
			this.#transmit(TcpFlag.RST | TcpFlag.ACK, this.#usualPosition);
		this.#finish();
	}

	/** Takes a segment of the guest's (RFC 9293, 3.10.7). */
	receive(segment: Segment): void {
		this.heardMs = this.#link.clock.now();
		if (this.phase === 'connecting') {
			if (segment.flags & TcpFlag.RST) this.#finish();
			return;
		}
		if (this.phase === 'syn-sent') this.#receiveFirst(segment);
		else this.#receiveLater(segment);
	}

	flush(): void {
		this.#host?.flush();
		this.#account();
		if (this.phase === 'open') this.#sendData();
		if (this.#ackDue && this.phase !== 'closed') this.#acknowledge();
	}

	/** The answer to a SYN of ours. */
	#receiveFirst(segment: Segment): void {
		const {flags, acknowledgment} = segment;
		const acknowledges = (flags & TcpFlag.ACK) !== 0 && acknowledgment === this.#wire(1);
		if (flags & TcpFlag.RST) {
			if (acknowledges) this.#finish();
			return;
		}
		// Both at once would be a SYN alone; whoever was connected from here has not asked for that.
		if (!acknowledges || !(flags & TcpFlag.SYN)) return;
		this.#edge = 1 + this.#edge;
		this.opened(segment);
		this.#peerWindow = segment.window;
		this.#open();
		this.#acknowledge();
	}

	#receiveLater(segment: Segment): void {
		const {flags, packet} = segment;
		const from = this.#received + ((segment.sequence - this.#guestWire(this.#received)) | 0);
		const length = packet.end - segment.data + (flags & TcpFlag.FIN ? 1 : 0);
		const until = from + length;
		// Some of it is to be in the window: what else comes is old, a probe, or no segment of this connection.
		const isIn =
			length === 0 ? from >= this.#received && from <= this.#edge : until > this.#received && from < this.#edge;
		if (flags & TcpFlag.RST) {
			// Only who knows what comes next ends a connection (RFC 5961, 3.2).
			if (from !== this.#received) {
				if (isIn) this.#acknowledge();
			} else if (this.phase === 'time-wait' || !this.#isOver) this.#finish();
			// Of one that is over the guest knows nothing any more, and says so to a segment that comes late; the host is to get what it has not taken.
			return;
		}
		if (flags & TcpFlag.SYN) {
			if (this.phase === 'syn-received' && from === 0) this.#sendSyn();
			else this.#acknowledge();
			return;
		}
		if (!(flags & TcpFlag.ACK)) return;
		if (!isIn) {
			this.#acknowledge();
			// A probe of our window or a sign of life may acknowledge something all the same, if it is not from another time.
			if (until < this.#received - 1 || from > this.#edge) return;
		}
		if (!this.#takeAcknowledgment(segment, from, length)) return;
		if (isIn && length > 0) this.#takeData(segment, from);
	}

	/** @returns false where the segment means nothing else */
	#takeAcknowledgment(segment: Segment, from: number, length: number): boolean {
		const {acknowledgment, window} = segment;
		const position = this.#position(acknowledgment);
		if (position > this.#sent) {
			if (this.phase === 'syn-received') this.#resetAt(acknowledgment);
			else this.#acknowledge();
			return false;
		}
		if (position < this.#acknowledged) return position >= this.#acknowledged - 2 ** 24;
		const scaled = window * 2 ** this.#peerScale;
		const windowBefore = this.#peerWindow;
		const {sequence, acknowledgment: before} = this.#windowFrom;
		if (sequence < from || (sequence === from && before <= position)) {
			this.#peerWindow = scaled;
			this.#windowFrom = {sequence: from, acknowledgment: position};
		}
		if (this.phase === 'syn-received') {
			if (position < 1) return false;
			this.#open();
		}
		const blocks = this.#takesSack ? readSackBlocks(segment) : [];
		const acknowledged = this.#acknowledged;
		const isDuplicate = position === acknowledged && length === 0 && scaled === windowBefore && this.#peerWindow > 0;
		const isForced = this.#recovery.answered(
			{position, blocks: blocks.map(([from, to]) => [this.#position(from), this.#position(to)]), isDuplicate},
			this.#link.clock.now(),
		);
		if (position > acknowledged) this.#progress(position - acknowledged);
		// A guest that takes nothing but answers is there; what a probe has sent is to be sent again when it takes something.
		if (this.#peerWindow === 0) this.#repeats = 0;
		else if (windowBefore === 0) this.#recovery.windowOpened();
		if (this.phase === 'open') this.#sendData(isForced);
		return this.phase !== 'closed';
	}

	/** The guest has so many bytes more. */
	#progress(bytes: number): void {
		const isFin = this.#end !== undefined && this.#acknowledged > this.#end;
		this.#queue.release(bytes - (isFin ? 1 : 0));
		this.#repeats = 0;
		this.#deadline = undefined;
		if (this.#sent > this.#acknowledged) this.#arm();
		this.#account();
		if (this.#host?.isPaused && this.#queue.length < this.#link.budget.share / 2) this.#host.resume();
		if (isFin) this.#mayBeDone();
	}

	#takeData({packet, data, flags}: Segment, from: number): void {
		const bytes = packet.bytes.subarray(data, packet.end);
		if (flags & TcpFlag.FIN) this.#guestEnd ??= from + bytes.length;
		if (this.#guestEnded || this.#host?.takesMore === false) {
			this.#acknowledge();
			return;
		}
		const skip = Math.max(0, this.#received - from);
		const taken = bytes.subarray(skip, Math.max(skip, this.#edge - from));
		const wasInOrder = from <= this.#received && this.#beyond.size === 0;
		if (from > this.#received) this.#beyond.add(from, taken);
		else this.#deliver(taken);
		for (let run = this.#beyond.take(this.#received); run !== undefined; run = this.#beyond.take(this.#received))
			this.#deliver(run);
		if (this.#guestEnd === this.#received) {
			this.#received++;
			this.#guestEnded = true;
			this.#beyond.clear();
			this.#host?.end();
			this.#mayBeDone();
		}
		this.#account();
		// What comes out of order is told at once, so that the guest learns of its losses.
		if (!wasInOrder || this.#guestEnded) this.#acknowledge();
		else this.#owe();
	}

	#deliver(bytes: Uint8Array): void {
		if (bytes.length === 0) return;
		this.#received += bytes.length;
		this.#host?.write(bytes);
		// Small pieces wait there for the others of the batch.
		this.#link.awaitBatch(this);
	}

	/** The host has taken what it had no room for: the guest may be waiting for room. */
	#taken(): void {
		this.#account();
		if (this.#guestEnded) {
			this.#mayBeDone();
			return;
		}
		const room = this.#edge - this.#received;
		if (
			this.#room() - room >= Math.min(2 * this.#mss, this.#link.budget.share / 2) &&
			room < this.#link.budget.share / 2
		)
			this.#owe();
	}

	#owe(): void {
		this.#ackDue = true;
		this.#link.awaitBatch(this);
	}

	/** How far beyond what it has sent the guest may go. */
	#room(): number {
		const held = (this.#host?.waiting ?? 0) + this.#beyond.size;
		return Math.max(0, Math.min(0xffff * 2 ** this.#scale, this.#link.budget.share - held));
	}

	#attach(host: HostStream): void {
		this.#host = host;
		host.start({
			data: (bytes, chunk) => {
				this.#queue.append(bytes, chunk);
				this.#account();
				if (this.#queue.length >= this.#link.budget.share) host.pause();
			},
			batch: () => this.flush(),
			end: () => {
				this.#end = this.#queueEnd;
				this.flush();
			},
			taken: () => this.#taken(),
			failed: () => this.reset(),
		});
	}

	#open(): void {
		this.phase = 'open';
		this.#recovery.synAnswered(this.#repeats > 0, this.#link.clock.now());
		this.#repeats = 0;
		this.#deadline = undefined;
		this.#sendData();
	}

	/**
	 * Sends what is lost again, and data as far as the guest's window and the link go, and our FIN behind it.
	 * @param isForced - what is lost first is sent whatever is under way
	 */
	#sendData(isForced = false): void {
		if (this.#sendLost(isForced)) this.#sendNew();
		// With nothing under way nothing comes that tells of room: it is asked for (RFC 9293, 3.8.6.1).
		if (this.#deadline === undefined && this.#hasMore()) this.#arm();
		this.#schedule();
	}

	/** @returns true where nothing lost is left */
	#sendLost(isForced: boolean): boolean {
		let least = isForced ? this.#mss : 0;
		for (let lost = this.#recovery.firstLost; lost !== undefined; lost = this.#recovery.firstLost) {
			const room = Math.max(least, Math.floor(this.#recovery.room / this.#mss) * this.#mss);
			const length = Math.min(Math.min(lost.to, this.#queueEnd) - lost.from, room, this.#frameData);
			// A guest without room gets the end alone.
			if (room <= 0 || (this.#peerWindow === 0 && length > 0)) return false;
			const isFin = this.#end === lost.from + length && lost.to > this.#end;
			if (!this.#sendAt(lost.from, length, isFin)) return false;
			least = 0;
		}
		return true;
	}

	#sendNew(): void {
		for (;;) {
			const next = this.#sent;
			const limit = Math.min(this.#acknowledged + this.#peerWindow, next + Math.max(0, this.#recovery.room));
			const left = this.#queueEnd - next;
			const length = Math.min(left, limit - next, this.#frameData);
			const isFin = this.#end !== undefined && next + Math.max(0, length) === this.#end && next <= this.#end;
			if (length <= 0 && !(isFin && left === 0)) return;
			// A part of a segment waits for room for more, unless that is all, or much for this guest (RFC 9293, 3.8.6.2.1).
			if (length < Math.min(left, this.#mss) && length < this.#peerWindow / 2) return;
			if (!this.#sendAt(next, Math.max(0, length), isFin) || isFin) return;
		}
	}

	/** Sends something that has the guest say what it has: new data where there is some and the guest takes it, else the last segment (RFC 8985, 7.3). */
	#sendProbe(): void {
		const isNew = this.#queueEnd > this.#sent && this.#sent < this.#acknowledged + this.#peerWindow;
		const end = isNew ? this.#acknowledged + this.#peerWindow : this.#sent;
		const from = isNew ? this.#sent : Math.max(this.#acknowledged, Math.min(end, this.#queueEnd) - this.#mss);
		const length = Math.min(Math.min(end, this.#queueEnd) - from, this.#mss);
		const isFin = this.#end === from + length && end > this.#end;
		// A guest without room is asked by its own timer.
		if (this.#peerWindow === 0 || (length <= 0 && !isFin) || !this.#sendAt(from, length, isFin)) return;
		this.#recovery.probed(!isNew);
		this.#arm();
	}

	/** All until here is acknowledged. */
	get #acknowledged(): number {
		return this.#recovery.acknowledged;
	}

	/** All until here was sent once. */
	get #sent(): number {
		return this.#recovery.sent;
	}

	/** Behind the last byte that there is to send. */
	get #queueEnd(): number {
		return Math.max(1, this.#acknowledged) + this.#queue.length;
	}

	/** Where a segment without data is: behind all that was sent, but in the guest's window, which a probe of it may be beyond. */
	get #usualPosition(): number {
		return this.#acknowledged < 1 ? this.#sent : Math.min(this.#sent, this.#acknowledged + this.#peerWindow);
	}

	#hasMore(): boolean {
		return this.#queue.length > 0 || (this.#end !== undefined && this.#acknowledged <= this.#end);
	}

	/** Whole segments, as many as one frame has. */
	get #frameData(): number {
		return Math.max(1, Math.floor(mostFrameData / this.#mss)) * this.#mss;
	}

	#sendAt(position: number, length: number, isFin: boolean): boolean {
		const flags = TcpFlag.ACK | (isFin ? TcpFlag.FIN : 0) | (length > 0 ? TcpFlag.PSH : 0);
		if (!this.#transmit(flags, position, length)) {
			this.#link.awaitRoom(this);
			return false;
		}
		if (position < this.#sent) this.#link.countRepeated();
		this.#recovery.transmitted(position, position + length + (isFin ? 1 : 0), this.#link.clock.now());
		if (this.#deadline === undefined) this.#arm();
		return true;
	}

	#arm(): void {
		this.#await(this.#recovery.timeoutMs);
	}

	#await(delayMs: number): void {
		this.#deadline = this.#link.clock.now() + delayMs;
		this.#schedule();
	}

	/** Has a time looked at: by the timer that there is, unless that is too late. */
	#schedule(): void {
		if (this.phase === 'closed') return;
		const none = Number.POSITIVE_INFINITY;
		const dueMs = Math.min(this.#deadline ?? none, this.#recoveryDueMs);
		if (dueMs === none || (this.#timer !== undefined && this.#timerMs <= dueMs)) return;
		this.#timer?.cancel();
		this.#timer = this.#link.clock.after(Math.max(0, dueMs - this.#link.clock.now()), this.#expired);
		this.#timerMs = dueMs;
	}

	get #recoveryDueMs(): number {
		return (this.phase === 'open' ? this.#recovery.dueMs : undefined) ?? Number.POSITIVE_INFINITY;
	}

	/** The timer looks whether its time has come, or what is awaited was put off since. */
	readonly #expired = () => {
		this.#timer = undefined;
		if (this.phase === 'closed') return;
		const now = this.#link.clock.now();
		const isLate = this.#deadline !== undefined && this.#deadline <= now;
		if (this.#link.isStopped && this.phase !== 'time-wait') {
			this.#recovery.putOff(now + this.#recovery.timeoutMs);
			if (isLate) this.#arm();
		} else if (isLate) {
			this.#deadline = undefined;
			if (this.phase === 'time-wait') this.#finish();
			else this.#late();
		} else if (this.#recoveryDueMs <= now) {
			const found = this.#recovery.expire(now);
			if (found === 'probe') this.#sendProbe();
			else this.#sendData(found === 'lost');
		}
		this.#schedule();
	};

	/** Nothing has come in time. A guest with a closed window may have it closed for ever, but is to answer. */
	#late(): void {
		if (++this.#repeats > mostRepeats) {
			this.reset();
			return;
		}
		if (this.phase !== 'open') {
			this.#recovery.backOff();
			this.#sendSyn();
			return;
		}
		if (this.#peerWindow === 0 && this.#queue.length > 0) {
			this.#recovery.backOff();
			this.#sendAt(this.#acknowledged, 1, false);
		} else if (this.#sent > this.#acknowledged) {
			this.#recovery.timedOut();
			this.#sendData(true);
		} else this.#sendData();
		if (this.#deadline === undefined && this.#hasMore()) this.#arm();
	}

	#sendSyn(): void {
		const isAnswer = this.phase === 'syn-received';
		const {mtu} = this.#link;
		const mss = mtu - Tcp.size - (this.ends.path.family === 4 ? 20 : 40);
		const offersScale = !isAnswer || this.#scale > 0;
		const options = Uint8Array.from([
			...[TcpOption.MSS, 4, mss >> 8, mss & 0xff],
			...(offersScale ? [TcpOption.NOP, TcpOption.WINDOW_SCALE, 3, ourScale] : []),
			...(!isAnswer || this.#takesSack ? [TcpOption.NOP, TcpOption.NOP, TcpOption.SACK_PERMITTED, 2] : []),
		]);
		const window = Math.min(0xffff, this.#edge - this.#received);
		this.#link.transmit({
			...this.#header(TcpFlag.SYN | (isAnswer ? TcpFlag.ACK : 0), 0, options),
			window,
			acknowledgment: isAnswer ? this.#guestWire(this.#received) : 0,
		});
		this.#recovery.transmitted(0, 1, this.#link.clock.now());
		this.#arm();
	}

	/** Sends where we are, and how far the guest may go; the window's edge never goes back. */
	#acknowledge(): void {
		if (this.#transmit(TcpFlag.ACK, this.#usualPosition)) return;
		this.#ackDue = true;
		this.#link.awaitRoom(this);
	}

	#transmit(flags: number, position: number, length = 0): boolean {
		if (this.phase === 'open' || this.phase === 'time-wait')
			this.#edge = Math.max(this.#edge, this.#received + this.#room());
		const options = this.#takesSack && this.#beyond.size > 0 ? this.#sackBlocks() : empty;
		const header = this.#header(flags, position, options);
		const offset = position - Math.max(1, this.#acknowledged);
		const isSent = this.#link.transmit(
			header,
			length === 0 ? undefined : {queue: this.#queue, offset, length, mss: this.#mss - options.length},
		);
		if (isSent) this.#ackDue = false;
		return isSent;
	}

	#header(flags: number, position: number, options: Uint8Array) {
		const {path, guestPort, port} = this.ends;
		const room = Math.max(0, this.#edge - this.#received);
		return {
			path,
			sourcePort: port,
			port: guestPort,
			sequence: this.#wire(position),
			acknowledgment: this.#guestWire(this.#received),
			flags,
			window: Math.min(0xffff, Math.floor(room / 2 ** this.#scale)),
			options,
		};
	}

	#sackBlocks(): Uint8Array {
		const ranges = this.#beyond.ranges();
		const blocks = new Uint8Array(4 + ranges.length * 8);
		const view = new DataView(blocks.buffer);
		blocks.set([TcpOption.NOP, TcpOption.NOP, TcpOption.SACK, 2 + ranges.length * 8]);
		for (const [index, {from, to}] of ranges.entries()) {
			view.setUint32(4 + index * 8, this.#guestWire(from));
			view.setUint32(8 + index * 8, this.#guestWire(to));
		}
		return blocks;
	}

	/** Refuses a segment that acknowledges what was never sent. */
	#resetAt(acknowledgment: number): void {
		this.#link.transmit({...this.#header(TcpFlag.RST, 0, empty), sequence: acknowledgment, acknowledgment: 0});
	}

	#learn({mss, scale, takesSack}: SynOptions, {window}: Segment): void {
		const most = Math.min(mostFrameData, this.#link.mtu - Tcp.size - (this.ends.path.family === 4 ? 20 : 40));
		this.#mss = Math.max(leastMss, Math.min(mss ?? usualMss, most));
		if (scale !== undefined) {
			this.#peerScale = scale;
			this.#scale = ourScale;
		}
		this.#takesSack = takesSack;
		this.#recovery.learn(this.#mss, takesSack);
		this.#peerWindow = window;
	}

	/** Both have ended, and each has all of the other's: who has ended first remembers it a while. */
	/** The guest has ended its direction, and knows that ours has ended. */
	get #isOver(): boolean {
		return this.#guestEnded && this.#end !== undefined && this.#acknowledged > this.#end;
	}

	#mayBeDone(): void {
		const isDone = this.#isOver && this.#host?.waiting === 0;
		if (!isDone || this.phase === 'closed') return;
		this.#acknowledge();
		this.phase = 'time-wait';
		this.#await(timeWaitMs);
	}

	#finish(): void {
		if (this.phase === 'closed') return;
		const isWhole = this.phase === 'time-wait';
		if (this.phase === 'connecting') this.#dropped?.();
		this.phase = 'closed';
		this.#timer?.cancel();
		this.#timer = undefined;
		this.#queue.clear();
		this.#beyond.clear();
		// Where both directions have ended it ends by itself.
		if (!isWhole) this.#host?.abort();
		this.#account();
		this.#link.forget(this);
		this.#closed();
	}

	#account(): void {
		const counted = this.phase === 'closed' ? 0 : this.#queue.length + this.#beyond.size + (this.#host?.waiting ?? 0);
		this.#link.budget.used += counted - this.#counted;
		this.#counted = counted;
	}

	/** Of a sequence number near those that the guest has acknowledged. */
	#position(wire: number): number {
		return this.#acknowledged + ((wire - this.#wire(this.#acknowledged)) | 0);
	}

	#wire(position: number): number {
		return (this.#first + position) % 2 ** 32;
	}

	#guestWire(position: number): number {
		return (this.#guestFirst + position) % 2 ** 32;
	}
}
