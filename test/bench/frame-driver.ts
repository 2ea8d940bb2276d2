/** A guest that is nothing but frames, on the thread of its network: what `peer/slirp-driver.c` is to libslirp. */

import {Frame, type Nic, Segmentation} from '#devices/network/endpoint';
import {finishChecksum, Segments} from '#devices/network/packet';
import {type Clock, Policy, parseRule, planOf, UserNetwork} from '#devices/network/user';

const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
const [ethernetBytes, ipBytes, tcpBytes, udpBytes] = [14, 20, 20, 8];
const [packet, transport] = [ethernetBytes, ethernetBytes + ipBytes];
const [tcp, udp] = [6, 17];
/** Connections, and datagrams with their payload, that are under way at once. */
const [mostConnections, mostDatagrams, datagramBytes] = [8, 64, 1200];
/** Nothing comes of a datagram that was lost. */
const lossMs = 200;
/** Linux offers a window of 64 KiB first, and opens it by a shift of 7 to some MiB. */
const [scale, window] = [7, 4 * 2 ** 20];
/** Data of one frame that the network cuts: what Linux puts into one. */
const mostFrameData = 65_483;
const destination = [127, 0, 0, 1];

interface Connection {
	readonly port: number;
	readonly remote: number;
	isOpen: boolean;
	hasEnded: boolean;
	hasTheirEnd: boolean;
	/** What came is to be acknowledged. */
	owes: boolean;
	next: number;
	acknowledged: number;
	expected: number;
	window: number;
	scale: number;
	left: number;
}

/** Plays a guest; one workload at a time. */
export class FrameDriver implements Nic {
	readonly mac = Uint8Array.of(0x02, 0, 0, 0, 0, 1);
	readonly mtu = 1500;
	readonly pairs = 1;
	readonly #clock: Clock;
	/** Its driver leaves checksums and cutting to the NIC, in both directions, as Linux's does by virtio-net. */
	readonly #offloads: boolean;
	readonly #endpoint;
	readonly #frame = new Frame();
	readonly #piece = new Frame();
	readonly #segments = new Segments();
	readonly #source: readonly number[];
	readonly #connections = new Map<number, Connection>();
	#port = 1024;
	#isDue = false;
	#taken = 0;
	#answers = 0;
	/** Looks whether the workload goes on, after all that came has been taken. */
	#step: () => void = () => {};

	constructor(clock: Clock, {offloads}: {readonly offloads: boolean}) {
		this.#clock = clock;
		this.#offloads = offloads;
		const plan = planOf('10.0.0.0/24');
		const rule = parseRule(`${destination.join('.')}/32`);
		if (plan === undefined || rule === undefined) throw new Error('the plan of the network');
		const policy = new Policy({closed: 'host', allow: [rule], clock});
		const endpoint = new UserNetwork({clock, plan, policy, nameservers: []}).join(this);
		if (endpoint === undefined) throw new Error('no address');
		this.#endpoint = endpoint;
		this.#source = endpoint.ipv4.split('.').map(Number);
		endpoint.start();
	}

	receive(frame: Frame): boolean {
		if (this.#offloads || frame.segmentation === Segmentation.NONE) {
			if (!this.#offloads) finishChecksum(frame);
			this.#take(frame);
			return true;
		}
		// What a NIC does for a driver that takes no more than the link does.
		if (!this.#segments.begin(frame)) throw new Error('a frame that cannot be cut');
		while (this.#segments.next(this.#piece)) this.#take(this.#piece);
		return true;
	}

	room(): void {}
	carrier(): void {}

	async dispose(): Promise<void> {
		await this.#endpoint.dispose();
	}

	/** Takes so many bytes of what the other side sends without end. */
	async download(remote: number, bytes: number): Promise<void> {
		this.#taken = 0;
		const connection = this.#open(remote, 0);
		await this.#until(() => this.#taken >= bytes);
		this.#send(connection, RST | ACK, 0);
		this.#connections.delete(connection.port);
	}

	/** Sends so many bytes, and waits for the other side's end. */
	async upload(remote: number, bytes: number): Promise<void> {
		const connection = this.#open(remote, bytes);
		await this.#until(() => this.#finish(connection));
		this.#connections.delete(connection.port);
	}

	/** Sends a byte, and the next when it has come back. */
	async roundTrips(remote: number, count: number): Promise<void> {
		this.#taken = 0;
		const connection = this.#open(remote, 1);
		let seen = 0;
		await this.#until(() => {
			if (this.#taken === count) return true;
			if (this.#taken > seen) {
				seen = this.#taken;
				connection.left = 1;
				this.#pump(connection);
			}
			return false;
		});
		this.#send(connection, RST | ACK, 0);
		this.#connections.delete(connection.port);
	}

	/** Opens connections and ends them. */
	async connections(remote: number, count: number): Promise<void> {
		let [begun, done] = [0, 0];
		await this.#until(() => {
			for (const connection of this.#connections.values())
				if (this.#finish(connection)) {
					this.#connections.delete(connection.port);
					done++;
				}
			for (; begun < count && this.#connections.size < mostConnections; begun++) this.#open(remote, 0);
			return done === count;
		});
	}

	/** Sends datagrams that come back. @returns how many were lost */
	async datagrams(remote: number, count: number): Promise<number> {
		this.#answers = 0;
		let [sent, lost, seen] = [0, 0, -1];
		const look = () => {
			if (seen === this.#answers) {
				lost += sent - lost - this.#answers;
				this.#due();
			}
			seen = this.#answers;
			timer = this.#clock.after(lossMs, look);
		};
		let timer = this.#clock.after(lossMs, look);
		await this.#until(() => {
			for (; sent < count && sent - lost - this.#answers < mostDatagrams; sent++) this.#sendDatagram(remote);
			return this.#answers + lost >= count;
		});
		timer.cancel();
		return lost;
	}

	/** Resolves when a step has nothing more to do. */
	#until(isDone: () => boolean): Promise<void> {
		return new Promise((resolve) => {
			this.#step = () => {
				if (!isDone()) return;
				this.#step = () => {};
				resolve();
			};
			this.#due();
		});
	}

	/** What came is answered once all that came with it has been taken. */
	#due(): void {
		if (this.#isDue) return;
		this.#isDue = true;
		this.#clock.defer(() => {
			this.#isDue = false;
			for (const connection of this.#connections.values()) this.#pump(connection);
			this.#step();
		});
	}

	#open(remote: number, left: number): Connection {
		const port = this.#port;
		this.#port = port === 65_535 ? 1024 : port + 1;
		const connection = {
			...{port, remote, left, isOpen: false, hasEnded: false, hasTheirEnd: false, owes: false},
			...{next: 0, acknowledged: 0, expected: 0, window: 0, scale: 0},
		};
		this.#connections.set(port, connection);
		this.#send(connection, SYN, 0);
		return connection;
	}

	/** Ends it once all is sent. @returns true when the other side has too */
	#finish(connection: Connection): boolean {
		if (connection.isOpen && connection.left === 0 && !connection.hasEnded) {
			connection.hasEnded = true;
			this.#send(connection, ACK | FIN, 0);
		}
		return connection.hasTheirEnd;
	}

	/** Sends what the window has room for, and else what is owed. */
	#pump(connection: Connection): void {
		if (!connection.isOpen) return;
		const mss = this.mtu - ipBytes - tcpBytes;
		const most = this.#offloads ? mostFrameData - (mostFrameData % mss) : mss;
		while (connection.left > 0) {
			const room = ((connection.acknowledged - connection.next) | 0) + connection.window;
			const whole = Math.min(connection.left, most);
			const payload = Math.min(whole, room);
			// A part of a segment waits for room for more, unless nothing is under way (RFC 9293, 3.8.6.2.1).
			if (room <= 0 || (payload < Math.min(whole, mss) && connection.next !== connection.acknowledged)) break;
			connection.left -= payload;
			this.#send(connection, ACK | PSH, payload);
		}
		if (connection.owes) this.#send(connection, ACK, 0);
	}

	#take({view, length}: Frame): void {
		if (view.getUint16(packet - 2) !== 0x0800) return;
		const protocol = view.getUint8(packet + 9);
		if (protocol === udp) this.#answers++;
		else if (protocol === tcp) this.#takeSegment(view, length);
		this.#due();
	}

	#takeSegment(view: DataView, end: number): void {
		const connection = this.#connections.get(view.getUint16(transport + 2));
		if (connection === undefined) return;
		const flags = view.getUint8(transport + 13);
		const header = (view.getUint8(transport + 12) >> 4) * 4;
		const payload = end - transport - header;
		const sequence = view.getUint32(transport + 4);
		if (flags & RST) throw new Error('reset');
		if (flags & SYN) {
			connection.expected = (sequence + 1) >>> 0;
			connection.isOpen = connection.owes = true;
			// All that ours answers has a shift, of this.
			if (header > tcpBytes) connection.scale = scale;
		} else if (payload > 0 || flags & FIN) {
			connection.owes = true;
			if (sequence === connection.expected) {
				connection.expected = (sequence + payload + (flags & FIN ? 1 : 0)) >>> 0;
				connection.hasTheirEnd ||= (flags & FIN) !== 0;
				this.#taken += payload;
			}
		}
		connection.acknowledged = view.getUint32(transport + 8);
		connection.window = view.getUint16(transport + 14) << (flags & SYN ? 0 : connection.scale);
	}

	#send(connection: Connection, flags: number, payload: number): void {
		const {view} = this.#frame;
		const isSyn = (flags & SYN) !== 0;
		const header = tcpBytes + (isSyn ? 8 : 0);
		view.setUint16(transport, connection.port);
		view.setUint16(transport + 2, connection.remote);
		view.setUint32(transport + 4, connection.next);
		view.setUint32(transport + 8, flags & ACK ? connection.expected : 0);
		view.setUint8(transport + 12, (header / 4) << 4);
		view.setUint8(transport + 13, flags);
		view.setUint16(transport + 14, isSyn ? 0xffff : window >> scale);
		view.setUint32(transport + 16, 0);
		// MSS, a shift of windows and an option that means nothing (RFC 9293, 3.2; RFC 7323, 2.2); zeros where there is data.
		view.setUint32(transport + 20, isSyn ? 0x0204_0000 | (this.mtu - ipBytes - tcpBytes) : 0);
		view.setUint32(transport + 24, isSyn ? 0x0103_0300 | scale : 0);
		connection.next = (connection.next + payload + (flags & (SYN | FIN) ? 1 : 0)) >>> 0;
		connection.owes = false;
		this.#give(tcp, {header, checksumOffset: 16, payload, segmentBytes: this.mtu - ipBytes - tcpBytes});
	}

	#sendDatagram(remote: number): void {
		const {view} = this.#frame;
		view.setUint16(transport, 1024);
		view.setUint16(transport + 2, remote);
		view.setUint16(transport + 4, udpBytes + datagramBytes);
		// A segment's header has been here.
		for (let at = udpBytes; at < 32; at += 4) view.setUint32(transport + at, 0);
		this.#give(udp, {header: udpBytes, checksumOffset: 6, payload: datagramBytes, segmentBytes: datagramBytes});
	}

	/** Gives the network the frame; the payload is zeros, which add nothing to a checksum. */
	#give(
		protocol: number,
		{
			header,
			checksumOffset,
			payload,
			segmentBytes,
		}: {
			readonly header: number;
			readonly checksumOffset: number;
			readonly payload: number;
			readonly segmentBytes: number;
		},
	): void {
		const frame = this.#frame;
		const {view, bytes} = frame;
		const length = header + payload;
		frame.become(transport + length);
		bytes.set([0x52, 0x55, 10, 0, 0, 1], 0);
		bytes.set(this.mac, 6);
		view.setUint16(packet - 2, 0x0800);
		view.setUint32(packet, 0x4500_0000 | (ipBytes + length));
		view.setUint32(packet + 4, 0);
		view.setUint32(packet + 8, (64 << 24) | (protocol << 16));
		bytes.set(this.#source, packet + 12);
		bytes.set(destination, packet + 16);
		view.setUint16(packet + 10, ~folded(words(view, packet, transport)) & 0xffff);
		const pseudo = words(view, packet + 12, transport) + protocol + length;
		view.setUint16(transport + checksumOffset, 0);
		if (this.#offloads) {
			view.setUint16(transport + checksumOffset, folded(pseudo));
			frame.needsChecksum = true;
			frame.checksumStart = transport;
			frame.checksumOffset = checksumOffset;
			if (payload > segmentBytes) {
				frame.segmentation = Segmentation.TCP4;
				frame.segmentBytes = segmentBytes;
			}
		} else
			view.setUint16(transport + checksumOffset, ~folded(pseudo + words(view, transport, transport + header)) & 0xffff);
		this.#endpoint.send(frame);
	}
}

function words(view: DataView, from: number, to: number): number {
	let sum = 0;
	for (let at = from; at < to; at += 2) sum += view.getUint16(at);
	return sum;
}

function folded(sum: number): number {
	let left = sum;
	while (left > 0xffff) left = (left >>> 16) + (left & 0xffff);
	return left;
}
