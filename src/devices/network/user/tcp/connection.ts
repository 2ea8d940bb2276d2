import type {Timer} from '#support/reactor';
import type {Path} from '../ip/index.ts';
import {Tcp, TcpFlag, TcpOption} from '../packets/index.ts';
import {Congestion} from './congestion.ts';
import type {HostStream} from './host-stream.ts';
import type {Flushed, TcpLink} from './link.ts';
import {OutOfOrder} from './out-of-order.ts';
import {RoundTrip} from './round-trip.ts';
import {Scoreboard} from './scoreboard.ts';
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
	#acknowledged = 0;
	#next = 0;
	#sent = 0;
	/** What the guest has beyond what it has acknowledged, and until where that it has not was sent again. */
	readonly #scoreboard = new Scoreboard();
	#repeated = 0;
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

	readonly #roundTrip = new RoundTrip();
	#congestion = new Congestion(usualMss);
	#repeats = 0;
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
		this.#sent = this.#next = 1;
		this.#sendSyn();
	}

	/** Connects to the guest, for a stream of the host's. */
	connect(host: HostStream): void {
		this.#attach(host);
		this.phase = 'syn-sent';
		this.#edge = Math.min(0xffff, this.#link.budget.share);
		this.#sent = this.#next = 1;
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
			this.#transmit(TcpFlag.RST | TcpFlag.ACK, this.#next);
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
		this.#acknowledged = 1;
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
			this.#acknowledged = 1;
			this.#open();
		}
		const isProgress = position > this.#acknowledged;
		if (isProgress) this.#progress(position);
		const isNews = this.#takesSack && this.#learnBlocks(segment);
		const isAgain = !isProgress && length === 0 && scaled === windowBefore && this.#peerWindow > 0;
		if ((isNews || isAgain) && this.#sent > this.#acknowledged) this.#mayBeLost();
		// A guest that takes nothing but answers is there; what a probe has sent is to be sent again when it takes something.
		if (this.#peerWindow === 0) this.#repeats = 0;
		else if (windowBefore === 0) this.#next = Math.max(1, this.#acknowledged);
		if (this.phase === 'open') this.#sendData();
		return this.phase !== 'closed';
	}

	/** Learns what has come out of order. @returns true where the guest has said so for the first time */
	#learnBlocks(segment: Segment): boolean {
		let isNews = false;
		for (const block of readSackBlocks(segment)) {
			const [from, to] = [this.#position(block[0]), this.#position(block[1])];
			// What has been acknowledged too came twice (RFC 2883, 4), and what was never sent is a lie.
			if (from <= this.#acknowledged || from >= to || to > this.#sent) continue;
			isNews = this.#scoreboard.add(from, to) || isNews;
		}
		return isNews;
	}

	#mayBeLost(): void {
		const first = this.#acknowledged;
		const known = {any: !this.#scoreboard.isEmpty, isLost: this.#scoreboard.isLost(first, this.#mss)};
		if (!this.#congestion.duplicate(first, this.#sent, known)) return;
		this.#repeated = first;
		this.#repeatFirst(false);
	}

	/** The guest has all until `position`. */
	#progress(position: number): void {
		const bytes = position - this.#acknowledged;
		const isFin = this.#end !== undefined && position > this.#end;
		this.#queue.release(bytes - (isFin ? 1 : 0));
		this.#acknowledged = position;
		this.#scoreboard.release(position);
		this.#next = Math.max(this.#next, position);
		this.#repeats = 0;
		this.#roundTrip.acknowledged(position, this.#link.clock.now());
		const isLostToo = this.#congestion.acknowledged(bytes, position);
		this.#deadline = undefined;
		if (this.#sent > position) {
			this.#arm();
			if (isLostToo) this.#repeatFirst(false);
		}
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
				this.#end = Math.max(1, this.#acknowledged) + this.#queue.length;
				this.flush();
			},
			taken: () => this.#taken(),
			failed: () => this.reset(),
		});
	}

	#open(): void {
		this.phase = 'open';
		this.#repeats = 0;
		this.#deadline = undefined;
		this.#roundTrip.acknowledged(1, this.#link.clock.now());
		this.#sendData();
	}

	/** Sends data as far as the guest's window and the link go, and our FIN behind it. */
	#sendData(): void {
		this.#sendLost();
		for (;;) {
			// What is sent again since nothing was acknowledged in time is what the guest has not said meanwhile that it has.
			this.#next = this.#scoreboard.past(this.#next);
			const stop = Math.max(1, this.#acknowledged) + this.#queue.length;
			const limit = Math.min(this.#acknowledged + this.#peerWindow, this.#congestionLimit);
			const left = Math.min(stop, this.#scoreboard.nextFrom(this.#next)) - this.#next;
			const length = Math.min(left, limit - this.#next, this.#frameData);
			const isFin =
				this.#end !== undefined && this.#next + Math.max(0, length) === this.#end && this.#next <= this.#end;
			if (length <= 0 && !(isFin && left === 0)) break;
			// A part of a segment waits for room for more, unless that is all, or much for this guest (RFC 9293, 3.8.6.2.1).
			if (length < Math.min(left, this.#mss) && length < this.#peerWindow / 2) break;
			if (!this.#sendAt(this.#next, Math.max(0, length), isFin)) return;
			this.#next += Math.max(0, length) + (isFin ? 1 : 0);
			if (isFin) break;
		}
		// With nothing under way nothing comes that tells of room: it is asked for (RFC 9293, 3.8.6.1).
		if (this.#deadline === undefined && this.#hasMore()) this.#arm();
	}

	/** Sends again what is lost and was not, as far as the link goes (RFC 6675, 5, C; what is not lost by the guest's words waits for the timer). */
	#sendLost(): void {
		while (this.#congestion.isSelective) {
			const from = this.#scoreboard.past(Math.max(this.#repeated, this.#acknowledged));
			const to = this.#scoreboard.nextFrom(from);
			const room = Math.floor((this.#congestionLimit - this.#next) / this.#mss) * this.#mss;
			if (room <= 0 || to > this.#sent || !this.#scoreboard.isLost(from, this.#mss)) return;
			if (!this.#sendAt(from, Math.min(to - from, room, this.#frameData), false)) return;
		}
	}

	/** The position until which the link takes data. */
	get #congestionLimit(): number {
		const {window, isSelective} = this.#congestion;
		if (!isSelective) return this.#acknowledged + window;
		return this.#next + window - this.#scoreboard.underWay(this.#acknowledged, this.#sent, this.#repeated, this.#mss);
	}

	#hasMore(): boolean {
		return this.#queue.length > 0 || (this.#end !== undefined && this.#acknowledged <= this.#end);
	}

	/** Whole segments, as many as one frame has. */
	get #frameData(): number {
		return Math.max(1, Math.floor(mostFrameData / this.#mss)) * this.#mss;
	}

	#sendAt(position: number, length: number, isFin: boolean): boolean {
		const {clock} = this.#link;
		const isAgain = position < this.#sent;
		const flags = TcpFlag.ACK | (isFin ? TcpFlag.FIN : 0) | (length > 0 ? TcpFlag.PSH : 0);
		if (!this.#transmit(flags, position, length)) {
			this.#link.awaitRoom(this);
			return false;
		}
		if (isAgain) {
			this.#repeated = Math.max(this.#repeated, position + length);
			this.#link.countRepeated();
		} else this.#roundTrip.sent(position, clock.now());
		this.#sent = Math.max(this.#sent, position + length + (isFin ? 1 : 0));
		if (this.#deadline === undefined) this.#arm();
		return true;
	}

	/** Sends the first segment that is not acknowledged again. */
	#repeatFirst(isTimeout: boolean): void {
		this.#roundTrip.repeated(isTimeout);
		const until = Math.min(this.#sent, this.#scoreboard.nextFrom(this.#acknowledged));
		const length = Math.min(this.#queue.length, this.#mss, Math.max(1, until - this.#acknowledged));
		this.#sendAt(this.#acknowledged, length, this.#end === this.#acknowledged + length);
	}

	#arm(): void {
		this.#await(this.#roundTrip.timeoutMs);
	}

	/** Has a time looked at: by the timer that there is, unless that is too late. */
	#await(delayMs: number): void {
		const dueMs = this.#link.clock.now() + delayMs;
		this.#deadline = dueMs;
		if (this.#timer !== undefined && this.#timerMs <= dueMs) return;
		this.#timer?.cancel();
		this.#timer = this.#link.clock.after(delayMs, this.#expired);
		this.#timerMs = dueMs;
	}

	/** The timer looks whether its time has come, or what is awaited was put off since. */
	readonly #expired = () => {
		this.#timer = undefined;
		if (this.phase === 'closed' || this.#deadline === undefined) return;
		const left = this.#deadline - this.#link.clock.now();
		if (left > 0) {
			this.#await(left);
			return;
		}
		this.#deadline = undefined;
		if (this.phase === 'time-wait') this.#finish();
		else if (this.#link.isStopped) this.#arm();
		else this.#late();
	};

	/** Nothing has come in time. A guest with a closed window may have it closed for ever, but is to answer. */
	#late(): void {
		if (++this.#repeats > mostRepeats) {
			this.reset();
			return;
		}
		if (this.phase !== 'open') {
			this.#roundTrip.repeated(true);
			this.#sendSyn();
			return;
		}
		if (this.#peerWindow === 0 && this.#queue.length > 0) {
			this.#roundTrip.repeated(true);
			this.#sendAt(this.#acknowledged, 1, false);
			this.#next = Math.max(this.#next, this.#acknowledged + 1);
		} else if (this.#sent > this.#acknowledged) {
			this.#congestion.timedOut(this.#acknowledged, this.#sent);
			this.#scoreboard.clear();
			this.#roundTrip.repeated(true);
			this.#next = this.#acknowledged;
			this.#sendData();
			if (this.#next === this.#acknowledged) this.#repeatFirst(true);
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
		this.#roundTrip.sent(0, this.#link.clock.now());
		this.#arm();
	}

	/** Sends where we are, and how far the guest may go; the window's edge never goes back. */
	#acknowledge(): void {
		if (this.#transmit(TcpFlag.ACK, this.#next)) return;
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
		this.#congestion = new Congestion(this.#mss);
		if (scale !== undefined) {
			this.#peerScale = scale;
			this.#scale = ourScale;
		}
		this.#takesSack = takesSack;
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
