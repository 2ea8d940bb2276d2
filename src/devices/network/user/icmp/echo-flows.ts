import {close, DatagramReader, openEcho, sendDatagrams, transient} from '#support/ffi';
import type {Timer, Watch} from '#support/reactor';
import type {GuestLink} from '../guest-link.ts';
import {permittedEnd, socketAddress} from '../host-address.ts';
import {destinationOf, type IpPacket, kept, type Path, sourceOf} from '../ip/index.ts';
import {addressText, Icmp, IcmpType, Icmpv6Type, sameBytes} from '../packets/index.ts';
import {pathBack} from '../services/index.ts';

/** Sockets that one network has at most for its guests' echo requests, and those that nobody has decided about. */
const [mostFlows, mostDeciding] = [256, 64];
/** Requests that wait for a decision about their end. */
const mostUndecided = 4;
/** Answers of one read, and reads of one socket before others have their turn. */
const [answersOfRead, readsPerTurn] = [4, 4];
/** A flow that has been silent for so long is gone (RFC 5508, REQ-2), and how often that is looked at, in milliseconds. */
const [idleMs, sweepMs] = [60_000, 30_000];

/** Requests with one identifier to one end: a socket, whose identifier on the host's network is the kernel's choice. */
interface Flow {
	readonly fd: number;
	readonly watch: Watch;
	readonly id: number;
	/** The way that the answers take. */
	readonly path: Path;
	/** The end as the kernel is told of it. Undefined while nobody has decided; null where it is closed. */
	end: Uint8Array<ArrayBuffer> | null | undefined;
	readonly undecided: IpPacket[];
	usedMs: number;
	isClosed: boolean;
}

/** Where the identifier lies in a message (RFC 792; RFC 4443, 4.1), and the address in what the kernel knows an end by (ip(7), ipv6(7)). */
const idAt = Icmp.offset('rest');
const addressAt = {4: 4, 6: 8} as const;

/**
 * A guest's echo requests by way of the host's sockets, which need no rights where the host's `net.ipv4.ping_group_range` has the group of this
 * process (icmp(7)). What comes is heard from those ends alone that the guest has asked.
 */
export class EchoFlows {
	readonly #link: GuestLink;
	readonly #flows = new Map<string, Flow>();
	#sweep: Timer | undefined;
	#deciding = 0;
	#reader: DatagramReader | undefined;

	constructor(link: GuestLink) {
		this.#link = link;
	}

	get size(): number {
		return this.#flows.size;
	}

	/** Takes an echo request for somewhere else. @returns false where the host has no sockets for them */
	take(packet: IpPacket): boolean {
		const {counters, clock} = this.#link;
		const id = packet.view.getUint16(packet.start + idAt);
		const key = `${Buffer.concat([sourceOf(packet), destinationOf(packet)]).toString('latin1')}${id}`;
		const flow = this.#flows.get(key) ?? this.#open(key, packet, id);
		if (flow === 'none') return false;
		if (flow === 'full') {
			counters.tableFull++;
			return true;
		}
		flow.usedMs = clock.now();
		if (flow.end === null) this.#link.sendUnreachable(packet, 'PROHIBITED');
		else if (flow.end !== undefined) this.#send(flow, flow.end, packet);
		else if (flow.undecided.length < mostUndecided) flow.undecided.push(kept(packet));
		return true;
	}

	close(): void {
		this.#sweep?.cancel();
		for (const key of [...this.#flows.keys()]) this.#close(key);
	}

	#open(key: string, packet: IpPacket, id: number): Flow | 'none' | 'full' {
		const {clock, descriptors, policy, plan} = this.#link;
		if (this.#deciding >= (policy.asks ? this.#link.share(mostDeciding) : mostDeciding)) return 'full';
		const isFull = this.#flows.size >= this.#link.share(mostFlows) || !descriptors.take();
		if (isFull && !this.#closeOldest()) return 'full';
		const fd = openEcho(packet.family === 6);
		if (fd < 0) return 'none';
		let watch: Watch;
		try {
			watch = clock.watch(fd, {readable: true, writable: false}, () => this.#read(key, flow));
		} catch {
			// The host has no room for one more that is waited for.
			close(fd);
			return 'full';
		}
		const path = pathBack(packet, plan.mac);
		const flow: Flow = {fd, watch, id, path, end: undefined, undecided: [], usedMs: clock.now(), isClosed: false};
		this.#flows.set(key, flow);
		this.#sweep ??= clock.after(sweepMs, this.#sweepIdle);
		void this.#decide(flow, addressText(path.source));
		return flow;
	}

	async #decide(flow: Flow, address: string): Promise<void> {
		const {name: guest, names} = this.#link;
		const attempt = {guest, protocol: 'icmp' as const, name: names.namesOf(address).at(-1), address, port: undefined};
		this.#deciding++;
		const found = await permittedEnd(this.#link, attempt, flow.path.family).catch(() => undefined);
		this.#deciding--;
		const end = found && socketAddress({...found, port: 0});
		flow.end = end ?? null;
		const undecided = flow.undecided.splice(0);
		if (flow.isClosed) return;
		for (const packet of undecided) {
			if (end === undefined) this.#link.sendUnreachable(packet, 'PROHIBITED');
			else this.#send(flow, end, packet);
		}
	}

	/** The kernel puts an identifier of its own and the checksum into it. */
	#send({fd}: Flow, end: Uint8Array, packet: IpPacket): void {
		const sent = sendDatagrams(fd, packet.bytes.subarray(packet.start, packet.end), end);
		if (sent >= 0) this.#link.counters.echoes++;
		else if (transient.has(-sent)) this.#link.counters.dropped++;
		else this.#link.sendUnreachable(packet, 'HOST');
	}

	#read(key: string, flow: Flow): void {
		this.#reader ??= new DatagramReader(answersOfRead);
		for (let reads = 0; reads < readsPerTurn && !flow.isClosed; reads++) {
			const count = this.#reader.read(flow.fd);
			for (let index = 0; index < count; index++)
				this.#hear(flow, this.#reader.payload(index), this.#reader.from(index));
			if (count < 0 && !transient.has(-count)) this.#close(key);
			if (count < answersOfRead) return;
		}
	}

	#hear(flow: Flow, message: Uint8Array, from: Uint8Array): void {
		const {path, end, id} = flow;
		const at = addressAt[path.family];
		if (!end || !sameBytes(from, at, end.subarray(at, at + path.source.length))) return;
		const reply = path.family === 4 ? IcmpType.ECHO_REPLY : Icmpv6Type.ECHO_REPLY;
		if (message.length < Icmp.size || message[0] !== reply) return;
		flow.usedMs = this.#link.clock.now();
		message.set([id >> 8, id & 0xff], idAt);
		this.#link.sendMessage(path, message);
	}

	#close(key: string): void {
		const flow = this.#flows.get(key);
		if (flow === undefined) return;
		this.#flows.delete(key);
		flow.isClosed = true;
		flow.watch.close();
		close(flow.fd);
	}

	/** @returns false where there is none */
	#closeOldest(): boolean {
		let oldest: {key: string; usedMs: number} | undefined;
		for (const [key, {usedMs}] of this.#flows)
			if (oldest === undefined || usedMs < oldest.usedMs) oldest = {key, usedMs};
		if (oldest === undefined) return false;
		this.#link.counters.tableFull++;
		this.#close(oldest.key);
		return true;
	}

	readonly #sweepIdle = () => {
		const now = this.#link.clock.now();
		for (const [key, {usedMs}] of [...this.#flows]) if (now - usedMs >= idleMs) this.#close(key);
		this.#sweep = this.#flows.size > 0 ? this.#link.clock.after(sweepMs, this.#sweepIdle) : undefined;
	};
}
