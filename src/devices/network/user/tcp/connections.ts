import {randomInt} from 'node:crypto';
import {lookup} from 'node:dns/promises';
import {isIP} from 'node:net';
import {type Duplex, duplexPair} from 'node:stream';
import {Errno} from '#support/ffi';
import type {GuestLink, HostEnd} from '../guest-link.ts';
import {socketAddress} from '../host-address.ts';
import {destinationOf, flowKey, flowKeyOf, type IpPacket, kept, type Path} from '../ip/index.ts';
import {addressText, TcpFlag} from '../packets/index.ts';
import {nobodyAt} from '../policy/index.ts';
import {pathBack} from '../services/index.ts';
import {Chunks} from './chunks.ts';
import {TcpConnection} from './connection.ts';
import {Gather} from './gather.ts';
import {HostSocket, type SocketParts} from './host-socket.ts';
import type {TcpLink} from './link.ts';
import {NodeStream} from './node-stream.ts';
import {readSegment, type Segment} from './segment.ts';
import type {Outgoing} from './transmit.ts';

/** Connections of one network, and those of them that are not yet established, in each direction. */
const [mostConnections, mostEmbryonic] = [8192, 512];
/** How long a guest may be silent before a full table forgets a connection (RFC 5382, REQ-5), in milliseconds. */
const silentMs = 124 * 60_000;
/** Ports of the gateway from which a guest is connected (RFC 6335, 6). */
const [firstPort, lastPort] = [49_152, 65_535];

/** EHOSTDOWN of errno(3), which Node does not name. */
const hostDown = 112;
/** Failures to connect that say more than that nobody listens. */
const unreachable: ReadonlySet<number> = new Set([
	Errno.EHOSTUNREACH,
	Errno.ENETUNREACH,
	Errno.ETIMEDOUT,
	Errno.EADDRNOTAVAIL,
	Errno.EAFNOSUPPORT,
	Errno.ENETDOWN,
	hostDown,
]);

const isEmbryonic = ({phase}: TcpConnection): boolean =>
	phase === 'connecting' || phase === 'syn-sent' || phase === 'syn-received';

/** A guest's TCP connections, in both directions. */
export class TcpConnections {
	readonly #guest: GuestLink;
	readonly #link: TcpLink;
	readonly #serve: (stream: Duplex) => void;
	readonly #connections = new Map<string, TcpConnection>();
	/** Those that may not be established yet. */
	readonly #embryonic = new Set<TcpConnection>();
	readonly #sockets: SocketParts;
	#port = randomInt(firstPort, lastPort);
	/** Decisions under way, also about connections that the guest has given up meanwhile. */
	#deciding = 0;

	/** @param serve - answers questions of DNS that come by a connection */
	constructor(guest: GuestLink, link: TcpLink, serve: (stream: Duplex) => void) {
		this.#guest = guest;
		this.#link = link;
		this.#sockets = {clock: link.clock, chunks: new Chunks(), gather: new Gather()};
		this.#serve = serve;
	}

	get size(): number {
		return this.#connections.size;
	}

	/** Those that have something of the host's. */
	get sockets(): number {
		let sockets = 0;
		for (const {phase} of this.#connections.values()) if (phase !== 'time-wait') sockets++;
		return sockets;
	}

	/** Connections, for who looks. */
	get all(): readonly TcpConnection[] {
		return [...this.#connections.values()];
	}

	/** What would end each connection that is established, the latest first. */
	*resets(): Iterable<Outgoing> {
		for (const connection of [...this.#connections.values()].reverse())
			if (!isEmbryonic(connection)) yield connection.resetNow;
	}

	/** Takes a packet. @returns false for one that is none */
	take(packet: IpPacket): boolean {
		const segment = readSegment(packet);
		if (segment === undefined) return false;
		const key = flowKey(packet);
		const connection = this.#connections.get(key);
		const isSyn = (segment.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) === TcpFlag.SYN;
		if (connection?.phase === 'time-wait' && isSyn) connection.reset();
		else if (connection !== undefined) {
			// The guest may have given its NIC another address meanwhile.
			connection.ends.path.toMac.set(packet.mac);
			connection.receive(segment);
			return true;
		}
		if (isSyn) this.#open(key, segment);
		else if (!(segment.flags & TcpFlag.RST)) this.#refuse(segment);
		return true;
	}

	/** Connects a stream of the host's to a port of the guest. */
	connect(host: Duplex, path: Path, guestPort: number): void {
		const port = this.#freePort(path, guestPort);
		if (port === undefined || !this.#hasRoom(true)) {
			this.#guest.counters.tableFull++;
			new NodeStream(host, this.#guest.clock).abort();
			return;
		}
		const key = flowKeyOf(path.destination, guestPort, path.source, port);
		this.#make(key, {path, guestPort, port}).connect(new NodeStream(host, this.#guest.clock));
	}

	/** Ends all, for both sides. */
	close(): void {
		for (const connection of this.all) connection.reset();
	}

	#open(key: string, segment: Segment): void {
		if (!this.#hasRoom(false)) {
			// The guest asks again: what is full now may not be then.
			this.#guest.counters.tableFull++;
			return;
		}
		const {packet} = segment;
		const path = pathBack(packet, this.#guest.plan.mac);
		const connection = this.#make(key, {path, guestPort: segment.sourcePort, port: segment.port});
		connection.opened(segment);
		this.#guest.counters.tcpOpened++;
		this.#connectHost(connection, kept(packet), segment.port).catch(() => this.#fail(connection));
	}

	#make(key: string, ends: TcpConnection['ends']): TcpConnection {
		const connection: TcpConnection = new TcpConnection(ends, this.#link, randomInt(2 ** 32), () => {
			if (this.#connections.get(key) === connection) this.#connections.delete(key);
			this.#embryonic.delete(connection);
		});
		this.#connections.set(key, connection);
		this.#embryonic.add(connection);
		return connection;
	}

	/** Those that the host's side opens, and waits for the guest with, have a table of their own until then. */
	#hasRoom(isFromHost: boolean): boolean {
		const {size} = this.#connections;
		if (!isFromHost && this.#deciding >= this.#guest.share(mostEmbryonic)) return false;
		if (size < this.#guest.share(mostEmbryonic)) return true;
		if (size >= this.#guest.share(Math.min(mostConnections, this.#guest.descriptors.most))) {
			const done = this.all.find(({phase}) => phase === 'time-wait') ?? this.all.find((each) => this.#isSilent(each));
			if (done === undefined) return false;
			done.reset();
		}
		let alike = 0;
		for (const each of this.#embryonic)
			if (!isEmbryonic(each)) this.#embryonic.delete(each);
			else if ((each.phase === 'syn-sent') === isFromHost) alike++;
		return alike < this.#guest.share(mostEmbryonic);
	}

	/** A guest that was restarted knows nothing of what it had, and says nothing of it. */
	#isSilent({phase, heardMs}: TcpConnection): boolean {
		return phase === 'open' && this.#guest.clock.now() - heardMs >= silentMs;
	}

	async #connectHost(connection: TcpConnection, packet: IpPacket, port: number): Promise<void> {
		const destination = destinationOf(packet);
		const address = addressText(destination);
		const {name: guest, names, policy} = this.#guest;
		const attempt = {guest, protocol: 'tcp' as const, name: names.namesOf(address).at(-1), address, port};
		const forward = this.#guest.guestForward('tcp', address, port);
		if (forward !== undefined) {
			policy.told(attempt, {kind: 'redirect', ...forward});
			this.#dial(connection, packet, forward);
			return;
		}
		const isGateway = this.#guest.isGateway(destination);
		if (isGateway && port === 53) {
			connection.accept(new NodeStream(served(this.#serve), this.#guest.clock));
			return;
		}
		// The host may have a network with the same addresses: a guest that means its neighbour is not to get there.
		if (isGateway || this.#guest.plan.isOnLink(destination)) {
			policy.told(attempt, nobodyAt(isGateway));
			this.#fail(connection);
			return;
		}
		this.#deciding++;
		const verdict = await policy.connection(attempt, names).finally(() => this.#deciding--);
		if (connection.phase !== 'connecting') return;
		if (verdict.kind === 'allow') this.#dial(connection, packet, {address, port});
		else if (verdict.kind === 'redirect') this.#dial(connection, packet, verdict);
		else if (verdict.kind === 'answer') this.#answer(connection, verdict.open);
		else this.#fail(connection);
	}

	#answer(connection: TcpConnection, open: () => Duplex): void {
		const {descriptors} = this.#guest;
		// One for each end.
		if (!descriptors.take() || !descriptors.take()) {
			this.#guest.counters.tableFull++;
			connection.drop();
			return;
		}
		try {
			connection.accept(new NodeStream(open(), this.#guest.clock));
			this.#guest.clock.began();
		} catch {
			this.#fail(connection);
		}
	}

	#dial(connection: TcpConnection, packet: IpPacket, end: HostEnd): void {
		if (!this.#guest.descriptors.take()) {
			// The guest asks again.
			this.#guest.counters.tableFull++;
			connection.drop();
			return;
		}
		if (isIP(end.address) !== 0) this.#connect(connection, packet, socketAddress(end));
		else {
			lookup(end.address).then(
				({address}) => this.#connect(connection, packet, socketAddress({address, port: end.port})),
				() => this.#fail(connection),
			);
			this.#guest.clock.began();
		}
	}

	#connect(connection: TcpConnection, packet: IpPacket, address: Uint8Array): void {
		if (connection.phase !== 'connecting') return;
		const giveUp = HostSocket.connect(address, this.#sockets, {
			connected: (socket) => connection.accept(socket),
			failed: (errno) => {
				if (connection.phase !== 'connecting') return;
				if (unreachable.has(-errno)) {
					this.#guest.sendUnreachable(packet, 'HOST');
					this.#guest.counters.tcpRefused++;
					connection.drop();
				} else this.#fail(connection);
			},
		});
		if (connection.phase === 'connecting') connection.onDrop(giveUp);
	}

	#fail(connection: TcpConnection): void {
		this.#guest.counters.tcpRefused++;
		connection.refuse();
	}

	/** Answers a segment of no connection (RFC 9293, 3.10.7.1). */
	#refuse({packet, sourcePort, port, flags, acknowledgment, sequence, data}: Segment): void {
		this.#guest.counters.tcpReset++;
		const hasAck = (flags & TcpFlag.ACK) !== 0;
		const length = packet.end - data + (flags & TcpFlag.SYN ? 1 : 0) + (flags & TcpFlag.FIN ? 1 : 0);
		this.#link.transmit({
			path: pathBack(packet, this.#guest.plan.mac),
			sourcePort: port,
			port: sourcePort,
			sequence: hasAck ? acknowledgment : 0,
			acknowledgment: hasAck ? 0 : (sequence + length) % 2 ** 32,
			flags: TcpFlag.RST | (hasAck ? 0 : TcpFlag.ACK),
			window: 0,
			options: new Uint8Array(),
		});
	}

	/** A port of the gateway that no connection to that port of the guest has. */
	#freePort(path: Path, guestPort: number): number | undefined {
		for (let tried = 0; tried < 1024; tried++) {
			this.#port = this.#port >= lastPort ? firstPort : this.#port + 1;
			if (!this.#connections.has(flowKeyOf(path.destination, guestPort, path.source, this.#port))) return this.#port;
		}
		return undefined;
	}
}

/** A stream whose other end somebody on this thread serves. */
function served(serve: (stream: Duplex) => void): Duplex {
	const [ours, theirs] = duplexPair({allowHalfOpen: true});
	theirs.on('error', () => undefined);
	serve(theirs);
	return ours;
}
