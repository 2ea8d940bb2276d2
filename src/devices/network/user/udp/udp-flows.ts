import {createSocket, type RemoteInfo, type Socket} from 'node:dgram';
import {lookup} from 'node:dns/promises';
import type {Timer} from '#support/reactor';
import type {GuestLink, HostEnd} from '../guest-link.ts';
import {type Datagram, destinationOf, type IpPacket, kept, type Path, readDatagram, sourceOf} from '../ip/index.ts';
import {addressText, type Family} from '../packets/index.ts';
import {pathBack} from '../services/index.ts';

/** Sockets that one network has at most for its guests' flows. */
const mostFlows = 2048;
/** Ends that one flow has talked to and hears from. */
const mostPeers = 1024;
/** Ends of all flows of one network. */
const mostEnds = 65_536;
/** Datagrams that wait for a decision about their end, and ends of one network that nobody has decided about. */
const [mostUndecided, mostDeciding] = [4, 256];
/** Bytes of one flow that wait for room in the kernel. */
const mostUnsent = 1024 * 1024;
/** A flow that has been silent for so long is gone (RFC 4787, 4.3), and how often that is looked at, in milliseconds. */
const [idleMs, sweepMs] = [300_000, 30_000];

/** An end that a flow has wanted to talk to. */
interface Peer {
	/** Undefined while nobody has decided; null where it is closed. */
	end: HostEnd | null | undefined;
	readonly undecided: Datagram[];
	/** The way that its answers take. */
	readonly path: Path;
	readonly port: number;
}

interface Flow {
	readonly socket: Socket;
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

const endKey = (address: string, port: number): string => `${address} ${port}`;

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

	constructor(link: GuestLink) {
		this.#link = link;
	}

	get size(): number {
		return this.#flows.size;
	}

	/** Takes a datagram for somewhere else. */
	take(datagram: Datagram): void {
		const {packet, sourcePort, port} = datagram;
		const key = `${Buffer.from(sourceOf(packet)).toString('latin1')}${sourcePort}`;
		const flow = this.#flows.get(key) ?? this.#open(key, packet, sourcePort);
		if (flow === undefined) return;
		flow.usedMs = this.#link.clock.now();
		const address = addressText(destinationOf(packet));
		const peer = flow.peers.get(endKey(address, port)) ?? this.#meet(flow, packet, address, port);
		if (peer === undefined) {
			this.#link.counters.tableFull++;
			return;
		}
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
		const socket = createSocket(family === 4 ? {type: 'udp4'} : {type: 'udp6', ipv6Only: true});
		const usedMs = this.#link.clock.now();
		const flow: Flow = {socket, family, guestPort, peers: new Map(), heard: new Map(), usedMs, isClosed: false};
		// What cannot be sent is lost, as datagrams are.
		socket.on('error', () => this.#close(key));
		socket.on('message', (message, from) => this.#hear(flow, message, from));
		this.#flows.set(key, flow);
		this.#link.counters.udpOpened++;
		this.#sweep ??= this.#link.clock.after(sweepMs, this.#sweepIdle);
		return flow;
	}

	#meet(flow: Flow, packet: IpPacket, address: string, port: number): Peer | undefined {
		const peer: Peer = {end: undefined, undecided: [], path: pathBack(packet, this.#link.plan.mac), port};
		const isFull = flow.peers.size >= mostPeers || this.#ends >= this.#link.share(mostEnds);
		const most = this.#link.policy.asks ? this.#link.share(mostDeciding) : mostDeciding;
		if (this.#deciding >= most || (isFull && !this.#forgetOldest(flow))) return undefined;
		flow.peers.set(endKey(address, port), peer);
		this.#ends++;
		void this.#decide(flow, peer, address, port);
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
		const end = peer.end && endKey(peer.end.address, peer.end.port);
		if (end && heard.get(end) === peer) heard.delete(end);
		return true;
	}

	async #decide(flow: Flow, peer: Peer, address: string, port: number): Promise<void> {
		this.#deciding++;
		const end = await this.#endOf(address, port, flow.family).catch(() => undefined);
		this.#deciding--;
		peer.end = end ?? null;
		const undecided = peer.undecided.splice(0);
		// Another end may have taken its place meanwhile.
		if (flow.isClosed || flow.peers.get(endKey(address, port)) !== peer) return;
		if (end === undefined) this.#link.counters.udpRefused++;
		for (const datagram of undecided) {
			if (end === undefined) this.#link.sendUnreachable(datagram.packet, 'PROHIBITED');
			else this.#sendTo(flow, peer, end, datagram);
		}
	}

	/** A program may have redirected several ends to one: what comes from there answers whom the guest has talked to last. */
	#sendTo(flow: Flow, peer: Peer, end: HostEnd, datagram: Datagram): void {
		flow.heard.set(endKey(end.address, end.port), peer);
		this.#send(flow, end, datagram);
	}

	async #endOf(address: string, port: number, family: Family): Promise<HostEnd | undefined> {
		const {name: guest, names, policy} = this.#link;
		const attempt = {guest, protocol: 'udp' as const, name: names.namesOf(address).at(-1), address, port};
		const forward = this.#link.guestForward('udp', address, port);
		if (forward !== undefined) {
			policy.told(attempt, {kind: 'redirect', ...forward});
			return forward;
		}
		const verdict = await policy.connection(attempt, names);
		if (verdict.kind === 'allow') return {address, port};
		if (verdict.kind !== 'redirect') return undefined;
		// It may be a name, or written in another way than the address that answers.
		const found = await lookup(verdict.address, {family});
		return {address: found.address.replace(/%.*$/, ''), port: verdict.port};
	}

	#send({socket}: Flow, {address, port}: HostEnd, {payload, packet}: Datagram): void {
		// Node keeps what the kernel has no room for: a guest may send faster than the host's network.
		if (socket.getSendQueueSize() > mostUnsent) {
			this.#link.counters.dropped++;
			return;
		}
		const step = packet.segmentBytes > 0 ? packet.segmentBytes : Math.max(1, payload.length);
		for (let at = 0; at === 0 || at < payload.length; at += step) {
			// It is copied: Node sends what it cannot send at once later.
			socket.send(payload.slice(at, at + step), port, address, ignore);
		}
		this.#link.clock.began();
	}

	#hear(flow: Flow, message: Buffer, {address, port}: RemoteInfo): void {
		const peer = flow.heard.get(endKey(address.replace(/%.*$/, ''), port));
		if (peer === undefined) return;
		flow.usedMs = this.#link.clock.now();
		this.#link.sendDatagram(peer.path, {sourcePort: peer.port, port: flow.guestPort, payload: message});
	}

	#close(key: string): void {
		const flow = this.#flows.get(key);
		if (flow === undefined) return;
		this.#flows.delete(key);
		flow.isClosed = true;
		this.#ends -= flow.peers.size;
		flow.socket.removeAllListeners('message').removeAllListeners('error');
		flow.socket.on('error', ignore);
		flow.socket.close();
		this.#link.clock.began();
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

const ignore = () => undefined;
