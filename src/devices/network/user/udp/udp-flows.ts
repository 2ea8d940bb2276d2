import {close, DatagramReader, Errno, openUdp, SocketErrors, transient} from '#support/ffi';
import type {Readiness, Timer, Watch} from '#support/reactor';
import type {GuestLink, HostEnd} from '../guest-link.ts';
import {permittedEnd, socketAddress} from '../host-address.ts';
import {type Datagram, destinationOf, type IpPacket, kept, type Path, readDatagram, sourceOf} from '../ip/index.ts';
import {addressText, type Family, IpProtocol, Udp} from '../packets/index.ts';
import {pathBack, type UnreachableReason} from '../services/index.ts';
import {Outbox, type Outlet} from './outbox.ts';

/** Sockets that one network has at most for its guests' flows. */
const mostFlows = 2048;
/** Ends that one flow has talked to and hears from. */
const mostPeers = 1024;
/** Ends of all flows of one network. */
const mostEnds = 65_536;
/** Datagrams that wait for a decision about their end, and ends of one network that nobody has decided about. */
const [mostUndecided, mostDeciding] = [4, 256];
/** Datagrams of one read, and reads of one socket before others have their turn. */
const [datagramsOfRead, readsPerTurn] = [32, 4];
/** A flow that has been silent for so long is gone (RFC 4787, 4.3), and how often that is looked at, in milliseconds. */
const [idleMs, sweepMs] = [300_000, 30_000];

/** Errors that one socket tells of in one turn. */
const errorsPerTurn = 32;
/** What ICMP says of a datagram, as errno(3) has it, and what the guest is told. */
const reasons: ReadonlyMap<number, UnreachableReason> = new Map([
	[Errno.ECONNREFUSED, 'PORT'],
	[Errno.EHOSTUNREACH, 'HOST'],
	[Errno.ENETUNREACH, 'HOST'],
]);

/** An end that a flow has wanted to talk to. */
interface Peer {
	/** The end as the kernel is told of it. Undefined while nobody has decided; null where it is closed. */
	end: Uint8Array<ArrayBuffer> | null | undefined;
	readonly undecided: Datagram[];
	/** The way that its answers take. */
	readonly path: Path;
	readonly port: number;
}

interface Flow extends Outlet {
	readonly watch: Watch;
	readonly family: Family;
	readonly guestPort: number;
	/** By the end that the guest sees. */
	readonly peers: Map<string, Peer>;
	/** By the end that the host sees: an answer from elsewhere is nobody's. */
	readonly heard: Map<string, Peer>;
	usedMs: number;
	/** Its socket is no more, while somebody may still decide about one of its ends. */
	isClosed: boolean;
}

/** An end that the guest sees, and one that the host does: port and address, of which IPv6's has a flow before it (ipv6(7)) and a zone behind. */
const endKey = (address: Uint8Array, port: number): string => `${latin1(address)}${port}`;
const hostKey = (address: Uint8Array): string =>
	address.length === 16
		? latin1(address.subarray(2, 8))
		: latin1(address.subarray(2, 4)) + latin1(address.subarray(8, 24));
const latin1 = (bytes: Uint8Array): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');

/**
 * A guest's UDP by way of the host's sockets: one for each of its own, whichever ends it talks to, as RFC 4787 wants it of a NAT. What comes is
 * heard from those ends alone that the guest has talked to.
 */
export class UdpFlows {
	readonly #link: GuestLink;
	readonly #flows = new Map<string, Flow>();
	#sweep: Timer | undefined;
	#ends = 0;
	#deciding = 0;
	readonly #outbox: Outbox;
	#isFlushDue = false;
	/** It has room for long datagrams: guests without any do without. */
	#reader: DatagramReader | undefined;
	readonly #errors = new SocketErrors();

	constructor(link: GuestLink) {
		this.#link = link;
		this.#outbox = new Outbox((datagrams) => {
			link.counters.dropped += datagrams;
		});
	}

	get size(): number {
		return this.#flows.size;
	}

	/** Takes a datagram for somewhere else. */
	take(datagram: Datagram): void {
		const {packet, sourcePort, port} = datagram;
		const key = endKey(sourceOf(packet), sourcePort);
		const flow = this.#flows.get(key) ?? this.#open(key, packet, sourcePort);
		if (flow === undefined) return;
		flow.usedMs = this.#link.clock.now();
		const peer = flow.peers.get(endKey(destinationOf(packet), port)) ?? this.#meet(flow, packet, port);
		if (peer === undefined) {
			this.#link.counters.tableFull++;
			return;
		}
		// The guest may have given its NIC another address meanwhile.
		peer.path.toMac.set(packet.mac);
		if (peer.end === null) this.#link.sendUnreachable(packet, 'PROHIBITED');
		else if (peer.end !== undefined) this.#sendTo(flow, peer, peer.end, datagram);
		else if (peer.undecided.length < mostUndecided) {
			const later = readDatagram(kept(packet));
			if (later !== undefined) peer.undecided.push(later);
		}
	}

	close(): void {
		this.#sweep?.cancel();
		for (const key of [...this.#flows.keys()]) this.#close(key);
	}

	#open(key: string, packet: IpPacket, guestPort: number): Flow | undefined {
		const {family} = packet;
		const {descriptors} = this.#link;
		// Connections are to have most of what the process has.
		const most = Math.min(mostFlows, Math.ceil(descriptors.most / 4));
		const isFull = this.#flows.size >= this.#link.share(most) || !descriptors.take();
		if (isFull && !this.#closeOldest()) return undefined;
		const fd = openUdp(family === 6);
		if (fd < 0) return undefined;
		let watch: Watch;
		try {
			watch = this.#link.clock.watch(fd, {readable: true, writable: false}, (state) => this.#read(flow, state));
		} catch {
			// The host has no room for one more that is waited for.
			close(fd);
			return undefined;
		}
		const flow: Flow = {
			...{fd, watch, cutBytes: 0, cutsNone: false, family, guestPort, peers: new Map(), heard: new Map()},
			...{usedMs: this.#link.clock.now(), isClosed: false},
		};
		this.#flows.set(key, flow);
		this.#link.counters.udpOpened++;
		this.#sweep ??= this.#link.clock.after(sweepMs, this.#sweepIdle);
		return flow;
	}

	#meet(flow: Flow, packet: IpPacket, port: number): Peer | undefined {
		const peer: Peer = {end: undefined, undecided: [], path: pathBack(packet, this.#link.plan.mac), port};
		const isFull = flow.peers.size >= mostPeers || this.#ends >= this.#link.share(mostEnds);
		const most = this.#link.policy.asks ? this.#link.share(mostDeciding) : mostDeciding;
		if (this.#deciding >= most || (isFull && !this.#forgetOldest(flow))) return undefined;
		const destination = destinationOf(packet);
		const key = endKey(destination, port);
		flow.peers.set(key, peer);
		this.#ends++;
		void this.#decide(flow, peer, key, addressText(destination));
		return peer;
	}

	/** Forgets the end that a flow has met first. @returns false where it has met none */
	#forgetOldest({peers, heard}: Flow): boolean {
		const [oldest] = peers;
		if (oldest === undefined) return false;
		const [key, peer] = oldest;
		peers.delete(key);
		this.#ends--;
		// What a program has redirected may lead to the same end.
		const end = peer.end && hostKey(peer.end);
		if (end && heard.get(end) === peer) heard.delete(end);
		return true;
	}

	async #decide(flow: Flow, peer: Peer, key: string, address: string): Promise<void> {
		this.#deciding++;
		const found = await this.#endOf(address, peer.port, flow.family).catch(() => undefined);
		this.#deciding--;
		// What its owner has an end of IPv6 lead to may be one of IPv4.
		const end = found && socketAddress(found, flow.family);
		peer.end = end ?? null;
		const undecided = peer.undecided.splice(0);
		// Another end may have taken its place meanwhile.
		if (flow.isClosed || flow.peers.get(key) !== peer) return;
		if (end === undefined) this.#link.counters.udpRefused++;
		for (const datagram of undecided) {
			if (end === undefined) this.#link.sendUnreachable(datagram.packet, 'PROHIBITED');
			else this.#sendTo(flow, peer, end, datagram);
		}
	}

	/** A program may have redirected several ends to one: what comes from there answers whom the guest has talked to last. */
	#sendTo(flow: Flow, peer: Peer, end: Uint8Array<ArrayBuffer>, {payload, packet}: Datagram): void {
		flow.heard.set(hostKey(end), peer);
		const step = packet.segmentBytes > 0 ? packet.segmentBytes : Math.max(1, payload.length);
		for (let at = 0; at === 0 || at < payload.length; at += step)
			this.#outbox.add(flow, end, payload.subarray(at, at + step));
		if (this.#isFlushDue) return;
		this.#isFlushDue = true;
		this.#link.clock.defer(() => {
			this.#isFlushDue = false;
			this.#outbox.flush();
		});
	}

	async #endOf(address: string, port: number, family: Family): Promise<HostEnd | undefined> {
		const {name: guest, names, policy} = this.#link;
		const attempt = {guest, protocol: 'udp' as const, name: names.namesOf(address).at(-1), address, port};
		const forward = this.#link.guestForward('udp', address, port);
		if (forward !== undefined) {
			policy.told(attempt, {kind: 'redirect', ...forward});
			return forward;
		}
		return permittedEnd(this.#link, attempt, family);
	}

	#read(flow: Flow, {failed}: Readiness): void {
		if (failed) this.#hearErrors(flow);
		this.#reader ??= new DatagramReader(datagramsOfRead);
		for (let reads = 0; reads < readsPerTurn && !flow.isClosed; reads++) {
			const count = this.#reader.read(flow.fd);
			for (let index = 0; index < count; index++)
				this.#hear(flow, this.#reader.payload(index), this.#reader.from(index));
			// An error is of a datagram that went out, and is read elsewhere; what comes may be behind it.
			if (count >= 0 ? count < datagramsOfRead : transient.has(-count)) return;
		}
	}

	#hear(flow: Flow, payload: Uint8Array, from: Uint8Array): void {
		const peer = flow.heard.get(hostKey(from));
		if (peer === undefined) return;
		flow.usedMs = this.#link.clock.now();
		this.#link.sendDatagram(peer.path, {sourcePort: peer.port, port: flow.guestPort, payload});
	}

	/** Tells the guest which of its datagrams nobody has taken. */
	#hearErrors(flow: Flow): void {
		for (let errors = 0; errors < errorsPerTurn; errors++) {
			const error = this.#errors.read(flow.fd);
			if (error === undefined) return;
			const [peer, reason] = [flow.heard.get(hostKey(error.to)), reasons.get(error.errno)];
			if (peer !== undefined && reason !== undefined) this.#link.sendUnreachable(sentTo(peer, flow.guestPort), reason);
		}
	}

	#close(key: string): void {
		const flow = this.#flows.get(key);
		if (flow === undefined) return;
		this.#flows.delete(key);
		flow.isClosed = true;
		this.#ends -= flow.peers.size;
		// What was said before it went is said.
		this.#outbox.flush();
		flow.watch.close();
		close(flow.fd);
	}

	/** @returns false where there is none */
	#closeOldest(): boolean {
		let oldest: {key: string; usedMs: number} | undefined;
		for (const [key, {usedMs}] of this.#flows)
			if (oldest === undefined || usedMs < oldest.usedMs) oldest = {key, usedMs};
		this.#link.counters.tableFull++;
		if (oldest === undefined) return false;
		this.#close(oldest.key);
		return true;
	}

	readonly #sweepIdle = () => {
		const now = this.#link.clock.now();
		for (const [key, {usedMs}] of [...this.#flows]) if (now - usedMs >= idleMs) this.#close(key);
		this.#sweep = this.#flows.size > 0 ? this.#link.clock.after(sweepMs, this.#sweepIdle) : undefined;
	};
}

/** A packet that a guest has sent to an end, but for its payload. */
function sentTo({path, port}: Peer, sourcePort: number): IpPacket {
	const {family, toMac: mac} = path;
	const bytes = new Uint8Array([...path.destination, ...path.source, ...new Uint8Array(Udp.size)]);
	const [view, start] = [new DataView(bytes.buffer), bytes.length - Udp.size];
	Udp.write(bytes, start, {source: sourcePort, destination: port, length: Udp.size});
	const rest = {addresses: 0, protocol: IpProtocol.UDP, end: bytes.length, isChecked: true, segmentBytes: 0};
	return {family, bytes, view, start, mac, ...rest};
}
