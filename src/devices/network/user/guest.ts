import type {Socket} from 'node:net';
import type {Endpoint, Nic, Offloads} from '#devices/network/endpoint';
import {allOffloads, Frame} from '#devices/network/endpoint';
import type {Timer} from '#support/reactor';
import {Budget} from './budget.ts';
import {GuestCounters, type GuestCountersView} from './counters.ts';
import type {DatagramReceiver} from './forward/index.ts';
import type {GuestLink, HostEnd} from './guest-link.ts';
import type {GuestNetwork} from './guest-network.ts';
import {EchoFlows} from './icmp/echo-flows.ts';
import {
	type Datagram,
	destinationOf,
	type Fragment,
	Fragments,
	FrameWriter,
	type IpPacket,
	isIntact,
	type Malformed,
	mostCarried,
	type OutgoingDatagram,
	type Path,
	readDatagram,
	readIpv4,
	readIpv6,
	sourceOf,
	writeDatagram,
} from './ip/index.ts';
import {
	Arp,
	addressText,
	Ethernet,
	EtherType,
	Icmp,
	IpProtocol,
	Ipv4,
	Ipv6,
	isGroupMac,
	sameBytes,
	Tcp,
	Udp,
} from './packets/index.ts';
import {KnownNames, nobodyAt} from './policy/index.ts';
import {
	address6Of,
	advertisementEveryMs,
	answerArp,
	answerDhcp,
	answerDhcpv6,
	answerEcho,
	answerSolicitation,
	autonomousAddress,
	dhcpPorts,
	dhcpv6Ports,
	isEchoRequest,
	isRouterSolicitation,
	pathBack,
	type UnreachableReason,
	writeAdvertisement,
	writeMessage,
	writeUnreachable,
} from './services/index.ts';
import {
	decodeResets,
	encodeResets,
	type Flushed,
	type Outgoing,
	type OutgoingData,
	TcpConnections,
	type TcpLink,
	writeSegment,
} from './tcp/index.ts';
import {UdpFlows} from './udp/udp-flows.ts';

/** Frames that wait for room in the guest, besides what connections have. */
const mostWaiting = 256;
/** Memory of the host that one guest's connections have. */
const budgetBytes = 64 * 1024 * 1024;

const at = {
	type: Ethernet.offset('type'),
	hops4: Ethernet.size + Ipv4.offset('hops'),
	hops6: Ethernet.size + Ipv6.offset('hops'),
};
/** Where the address that a frame is from lies, and its length. */
const senders: Readonly<Record<number, readonly [start: number, bytes: number] | undefined>> = {
	[EtherType.ARP]: [Ethernet.size + Arp.offset('sender'), 4],
	[EtherType.IPV4]: [Ethernet.size + Ipv4.offset('source'), 4],
	[EtherType.IPV6]: [Ethernet.size + Ipv6.offset('source'), 16],
};
const [sourceMac, macLength] = [Ethernet.offset('source'), 6];

/** What the network gives a guest. */
export interface GuestParts {
	readonly name: string;
	readonly address: Uint8Array;
	/** See `Member.segment`. */
	readonly segment: object | undefined;
	readonly counters: GuestCountersView | undefined;
}

/** A NIC of a guest's on a network: what it sends is answered here, or goes on by the host's sockets. */
export class Guest implements Endpoint, GuestLink, TcpLink, DatagramReceiver {
	readonly takes: Offloads = allOffloads;
	readonly name: string;
	readonly address: Uint8Array;
	readonly segment: object | undefined;
	readonly names: KnownNames;
	readonly budget = new Budget(budgetBytes);
	readonly counters: GuestCountersView;
	readonly answers: DatagramReceiver['answers'] = new Map();
	isStopped = true;
	readonly #network: GuestNetwork;
	readonly #nic: Nic;
	/** What it has sent from last by an address of its own; its NIC's is another one once the guest has given it that. */
	#sentFrom: Uint8Array | undefined;
	readonly #writer = new FrameWriter();
	readonly #fragments = new Fragments();
	readonly #tcp: TcpConnections;
	readonly #udp: UdpFlows;
	readonly #echoes: EchoFlows;
	/** Copies of frames that the guest had no room for, the oldest first. */
	readonly #waiting: Frame[] = [];
	#isBlocked = false;
	#blocked = new Set<Flushed>();
	#batch = new Set<Flushed>();
	#isBatchDue = false;
	#isRoomDue = false;
	#isLent6 = false;
	/** Over the bytes of the frame that came last: a NIC uses one again and again. */
	#view = new DataView(new ArrayBuffer(0));
	#advertisement: Timer | undefined;

	constructor(network: GuestNetwork, nic: Nic, {name, address, segment, counters}: GuestParts) {
		this.#network = network;
		this.#nic = nic;
		this.name = name;
		this.address = address;
		this.segment = segment;
		this.counters = counters ?? GuestCounters.on(new ArrayBuffer(GuestCounters.byteLength));
		this.names = new KnownNames(network.policy.pinsNames);
		this.#tcp = new TcpConnections(this, this, (stream) => {
			this.#network.dns.serve(stream, this).catch(() => stream.destroy());
		});
		this.#udp = new UdpFlows(this);
		this.#echoes = new EchoFlows(this);
	}

	get clock() {
		return this.#network.clock;
	}
	get plan() {
		return this.#network.plan;
	}
	get policy() {
		return this.#network.policy;
	}
	get descriptors() {
		return this.#network.descriptors;
	}
	get mtu(): number {
		return this.#nic.mtu;
	}
	/** Where its addresses are: a driver may give its NIC another one than it came with. */
	get mac(): Uint8Array {
		return this.#sentFrom ?? this.#nic.mac;
	}
	get connections(): TcpConnections {
		return this.#tcp;
	}

	/** Sockets of the host's that it has. */
	get sockets(): number {
		return this.#tcp.sockets + this.#udp.size + this.#echoes.size;
	}

	start(): void {
		this.isStopped = false;
		this.#advertise();
		this.#roomLater();
	}

	stop(): void {
		this.isStopped = true;
		this.#advertisement?.cancel();
	}

	dispose(): void {
		this.isStopped = true;
		this.#advertisement?.cancel();
		this.#tcp.close();
		this.#udp.close();
		this.#echoes.close();
		this.#fragments.clear();
		this.#waiting.length = 0;
		this.#network.left(this);
		this.#count();
	}

	/** Takes every frame: a network may lose some, and TCP's windows keep a guest from sending what nobody reads. */
	send(frame: Frame): boolean {
		if (this.isStopped) return true;
		if (this.#view.buffer !== frame.bytes.buffer) this.#view = new DataView(frame.bytes.buffer);
		this.counters.framesIn++;
		this.counters.bytesIn += frame.length;
		if (frame.length >= Ethernet.size) this.#learn(frame);
		if (frame.length < Ethernet.size) this.counters.malformed++;
		else if (isGroupMac(frame.bytes) || sameBytes(frame.bytes, 0, this.plan.mac)) this.#take(frame);
		if (frame.length >= Ethernet.size && !sameBytes(frame.bytes, 0, this.plan.mac)) this.#network.relay(this, frame);
		this.#count();
		return true;
	}

	room(): void {
		this.#roomLater();
	}

	/** Its connections: those that there is room for. */
	remember(most: number): Uint8Array {
		return encodeResets(this.#tcp.resets(), most);
	}

	/** Connections that it had are no more, and it may wait for them: it is told, as soon as it has room. */
	recall(remembered: Uint8Array): void {
		for (const reset of decodeResets(remembered, this.plan.mac)) {
			writeSegment(this.#writer, reset);
			this.#give(this.#writer.frame);
		}
	}

	isAt(mac: Uint8Array): boolean {
		return sameBytes(mac, 0, this.mac) || sameBytes(mac, 0, this.#nic.mac);
	}

	/** A frame of another guest's of the network. */
	relayed(frame: Frame): void {
		this.#give(frame);
	}

	/** Connects a stream of the host's to a port of the guest. */
	connect(host: Socket, guestPort: number, address?: Uint8Array): void {
		this.#tcp.connect(host, this.#pathFromGateway(address), guestPort);
		this.#count();
	}

	deliver(gatewayPort: number, guestPort: number, payload: Uint8Array, address?: Uint8Array): void {
		this.sendDatagram(this.#pathFromGateway(address), {sourcePort: gatewayPort, port: guestPort, payload});
	}

	/** Its address of IPv6 that others know it by: it has asked for it by DHCPv6. */
	get address6(): Uint8Array | undefined {
		return this.#isLent6 ? address6Of(this.plan, this.address) : undefined;
	}

	/** Addresses that the network has it use: by DHCP, by DHCPv6, and what it makes of its NIC's by itself. */
	get addresses(): readonly Uint8Array[] {
		const {plan, address} = this;
		if (!this.#network.hasIpv6) return [address];
		// A guest whose NIC has another address than before keeps what it has made of that.
		const made = [this.#nic.mac, this.mac].map((mac) => autonomousAddress(plan, mac));
		return [address, address6Of(plan, address), ...made];
	}

	share(total: number): number {
		return Math.max(1, Math.floor(total / this.#network.guestCount));
	}

	guestForward(protocol: 'tcp' | 'udp', address: string, port: number): HostEnd | undefined {
		return this.#network.guestForward(protocol, address, port);
	}

	isGateway(address: Uint8Array): boolean {
		const {gateway, gateway6, linkLocal} = this.plan;
		return [gateway, gateway6, linkLocal].some((own) => own.length === address.length && sameBytes(address, 0, own));
	}

	transmit(segment: Outgoing, data?: OutgoingData): boolean {
		if (this.isStopped || this.#isBlocked || this.#waiting.length > 0) return false;
		writeSegment(this.#writer, segment, data);
		return this.#offer(this.#writer.frame);
	}

	awaitRoom(waiting: Flushed): void {
		this.#blocked.add(waiting);
	}

	awaitBatch(waiting: Flushed): void {
		this.#batch.add(waiting);
		if (this.#isBatchDue) return;
		this.#isBatchDue = true;
		this.clock.defer(() => {
			this.#isBatchDue = false;
			const batch = this.#batch;
			this.#batch = new Set();
			for (const each of batch) each.flush();
			this.#count();
		});
	}

	forget(gone: Flushed): void {
		this.#blocked.delete(gone);
		this.#batch.delete(gone);
	}

	/** Connections that are called when there is room, for who looks. */
	get awaitingRoom(): number {
		return this.#blocked.size;
	}

	countRepeated(): void {
		this.counters.tcpRepeated++;
	}

	sendDatagram(path: Path, datagram: OutgoingDatagram): void {
		if (Udp.size + datagram.payload.length > mostCarried(path.family)) return;
		writeDatagram(this.#writer, path, datagram, this.mtu);
		this.#giveWritten(path, IpProtocol.UDP);
	}

	sendMessage(path: Path, message: Uint8Array): void {
		if (message.length > mostCarried(path.family)) return;
		writeMessage(this.#writer, path, message);
		this.#giveWritten(path, path.family === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6);
	}

	sendUnreachable(packet: IpPacket, reason: UnreachableReason): void {
		// Nothing tells of what was for several, or from nobody (RFC 1122, 3.2.2; RFC 4443, 2.4).
		if (!this.#isUnicastPair(packet)) return;
		const path = writeUnreachable(this.#writer, packet, this.plan.mac, reason);
		this.#giveWritten(path, packet.family === 4 ? IpProtocol.ICMP : IpProtocol.ICMPV6);
	}

	/** Learns where its addresses are. Others that it has on its side of the NIC, by a bridge, send from theirs. */
	#learn(frame: Frame): void {
		const {bytes, length} = frame;
		if (sameBytes(bytes, sourceMac, this.mac)) return;
		const from = bytes.subarray(sourceMac, sourceMac + macLength);
		const [start = 0, size = 0] = senders[this.#view.getUint16(at.type)] ?? [];
		if (size === 0 || start + size > length || isGroupMac(from)) return;
		if (this.addresses.some((own) => own.length === size && sameBytes(bytes, start, own)))
			this.#sentFrom = from.slice();
	}

	#take(frame: Frame): void {
		const {bytes, length} = frame;
		switch (this.#view.getUint16(at.type)) {
			case EtherType.ARP:
				if (answerArp(bytes, length, this.plan.mac, this.#isHere, this.#writer)) this.#give(this.#writer.frame);
				return;
			case EtherType.IPV4:
				this.#takeIp(readIpv4(frame, this.#view), length > at.hops4 ? (bytes[at.hops4] as number) : 0);
				return;
			case EtherType.IPV6:
				this.#takeIp(readIpv6(frame, this.#view), length > at.hops6 ? (bytes[at.hops6] as number) : 0);
				return;
			default:
				this.counters.unanswered++;
		}
	}

	#takeIp(read: IpPacket | Fragment | Malformed, hops: number): void {
		if (typeof read === 'string') {
			this.counters.malformed++;
			return;
		}
		if (!('offset' in read)) {
			this.#takePacket(read, hops);
			return;
		}
		this.counters.fragments++;
		const whole = this.#fragments.take(read, this.clock.now());
		if (whole === undefined) return;
		this.counters.reassembled++;
		// What neighbours say of themselves comes whole (RFC 6980): a packet of fragments is not from the link itself.
		this.#takePacket(whole, 0);
	}

	#takePacket(packet: IpPacket, hops: number): void {
		const {start, end, protocol} = packet;
		const checksum = checksumOffset[protocol];
		if (checksum === undefined) {
			this.counters.unanswered++;
			return;
		}
		if (start + checksum + 2 > end || !isIntact(packet, start + checksum)) this.counters.malformed++;
		else if (protocol === IpProtocol.UDP) this.#takeDatagram(packet);
		else if (protocol === IpProtocol.TCP) this.#takeSegment(packet);
		else if ((protocol === IpProtocol.ICMP) === (packet.family === 4)) this.#takeIcmp(packet, hops);
		else this.counters.unanswered++;
	}

	#takeSegment(packet: IpPacket): void {
		if (!this.#isUnicastPair(packet)) this.counters.unanswered++;
		else if (!this.#tcp.take(packet)) this.counters.malformed++;
	}

	#takeIcmp(packet: IpPacket, hops: number): void {
		const {plan} = this;
		if (packet.family === 6 && isRouterSolicitation(packet, hops)) {
			if (this.#network.hasIpv6) this.#sendAdvertisement();
		} else if (packet.family === 6 && answerSolicitation(packet, hops, plan.mac, this.#isHere, this.#writer)) {
			this.#give(this.#writer.frame);
		} else if (this.isGateway(destinationOf(packet)) && answerEcho(packet, plan.mac, this.#writer)) {
			this.#giveWritten(pathBack(packet, plan.mac), packet.protocol);
		} else if (isEchoRequest(packet) && this.#isUnicastPair(packet) && !this.isGateway(destinationOf(packet))) {
			// The host may have a network with the same addresses: see `TcpConnections`.
			if (plan.isOnLink(destinationOf(packet))) this.sendUnreachable(packet, 'HOST');
			else if (!this.#echoes.take(packet)) {
				// Who asks is told, and does not wait.
				this.sendUnreachable(packet, 'PROHIBITED');
				this.counters.unanswered++;
			}
		} else this.counters.unanswered++;
	}

	#takeDatagram(packet: IpPacket): void {
		const datagram = readDatagram(packet);
		if (datagram === undefined) {
			this.counters.malformed++;
			return;
		}
		const {port, sourcePort} = datagram;
		const destination = destinationOf(packet);
		const isGroup = packet.family === 4 ? destination.every((byte) => byte === 255) : destination[0] === 0xff;
		const isForAll = isGroup || this.plan.isForAll(destination);
		const isHere = isForAll || this.isGateway(destination);
		if (isHere && packet.family === 4 && port === dhcpPorts.server) this.#answerDhcp(datagram);
		else if (isHere && packet.family === 6 && port === dhcpv6Ports.server) this.#answerDhcpv6(datagram);
		else if (!this.#isUnicastPair(packet)) this.counters.unanswered++;
		else if (this.#network.hasGuestForward('udp', destination, port)) this.#udp.take(datagram);
		else if (!isHere && this.plan.isOnLink(destination)) this.#refuse(datagram, 'HOST');
		else if (!isHere) this.#udp.take(datagram);
		else if (port === 53) this.#answerQuestion(datagram);
		else if (this.answers.has(port)) this.answers.get(port)?.(datagram.payload, sourcePort);
		else this.#refuse(datagram, 'PORT');
	}

	/** Nobody of this network is at the other end. */
	#refuse({packet, port}: Datagram, reason: 'HOST' | 'PORT'): void {
		const address = addressText(destinationOf(packet));
		const name = this.names.namesOf(address).at(-1);
		this.policy.told({guest: this.name, protocol: 'udp', name, address, port}, nobodyAt(reason === 'PORT'));
		this.sendUnreachable(packet, reason);
	}

	#answerDhcp({payload, packet}: Datagram): void {
		const {plan, address, name, mtu} = this;
		const answer = answerDhcp(payload, {plan, address, name, domain: this.#network.domain, mtu});
		if (answer === undefined) {
			this.counters.malformed++;
			return;
		}
		this.counters.dhcpAnswers++;
		const toAll = {toMac: new Uint8Array(6).fill(0xff), destination: new Uint8Array(4).fill(0xff)};
		const to = answer.to === undefined ? toAll : {toMac: packet.mac.slice(), destination: answer.to};
		const path: Path = {family: 4, fromMac: plan.mac, source: plan.gateway, ...to};
		this.sendDatagram(path, {sourcePort: dhcpPorts.server, port: dhcpPorts.client, payload: answer.message});
	}

	#answerDhcpv6({payload, packet, sourcePort}: Datagram): void {
		const {domain, hasIpv6} = this.#network;
		const address = hasIpv6 ? address6Of(this.plan, this.address) : undefined;
		const answer = answerDhcpv6(payload, {plan: this.plan, domain, address});
		if (answer === undefined) {
			this.counters.malformed++;
			return;
		}
		this.counters.dhcpAnswers++;
		this.#isLent6 = answer.isLent ?? this.#isLent6;
		const path = {...pathBack(packet, this.plan.mac), source: this.plan.linkLocal};
		this.sendDatagram(path, {sourcePort: dhcpv6Ports.server, port: sourcePort, payload: answer.message});
	}

	#answerQuestion({payload, packet, sourcePort}: Datagram): void {
		this.counters.dnsQuestions++;
		const path = pathBack(packet, this.plan.mac);
		const answered = this.#network.dns.answer(Buffer.from(payload), this, false);
		answered.then(
			(answer) => answer && this.sendDatagram(path, {sourcePort: 53, port: sourcePort, payload: answer}),
			() => undefined,
		);
	}

	#sendAdvertisement(): void {
		writeAdvertisement(this.#writer, this.plan, this.mtu);
		this.#give(this.#writer.frame);
	}

	/** Says from time to time that the router is still there: what it said holds for a time alone. */
	#advertise(): void {
		this.#advertisement?.cancel();
		if (!this.#network.hasIpv6) return;
		this.#advertisement = this.clock.after(advertisementEveryMs, () => {
			this.#sendAdvertisement();
			this.#advertise();
		});
	}

	/** Both ends are one host each: not nobody, not several. */
	#isUnicastPair(packet: IpPacket): boolean {
		return this.#isUnicast(sourceOf(packet)) && this.#isUnicast(destinationOf(packet));
	}

	#isUnicast(address: Uint8Array): boolean {
		const [first = 0] = address;
		const isGroup = address.length === 4 ? first >= 224 : first === 0xff;
		return !isGroup && !this.plan.isForAll(address) && (first !== 0 || address.some((byte) => byte !== 0));
	}

	/** Who asks on the link for an address is to send to the gateway. */
	readonly #isHere = (address: Uint8Array): boolean => this.isGateway(address) || this.#network.isForwarded(address);

	#pathFromGateway(destination = this.address): Path {
		const {gateway, gateway6, mac} = this.plan;
		const [family, source] = destination.length === 4 ? ([4, gateway] as const) : ([6, gateway6] as const);
		return {family, fromMac: mac, toMac: this.mac.slice(), source, destination};
	}

	/** Gives what the writer has written, in as many frames as the link needs. */
	#giveWritten(path: Path, protocol: number): void {
		for (const frame of this.#writer.fragments(path, protocol, this.mtu)) this.#give(frame);
	}

	/** Gives a frame that nobody keeps: a copy waits where the guest has no room. */
	#give(frame: Frame): void {
		if (this.#waiting.length === 0 && !this.isStopped && this.#offer(frame)) return;
		if (this.#waiting.length >= mostWaiting) {
			this.counters.dropped++;
			return;
		}
		const copy = new Frame(frame.length);
		copy.copy(frame);
		this.#waiting.push(copy);
	}

	#offer(frame: Frame): boolean {
		const {length} = frame;
		if (!this.#nic.receive(frame)) {
			this.#isBlocked = true;
			return false;
		}
		this.counters.framesOut++;
		this.counters.bytesOut += length;
		return true;
	}

	/** Gives what waits, but not from within a call of the NIC's. */
	#roomLater(): void {
		if (this.#isRoomDue) return;
		this.#isRoomDue = true;
		this.clock.defer(() => {
			this.#isRoomDue = false;
			this.#flush();
		});
	}

	#flush(): void {
		if (this.isStopped) return;
		this.#isBlocked = false;
		for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
			if (!this.#offer(next)) return;
			this.#waiting.shift();
		}
		const blocked = this.#blocked;
		this.#blocked = new Set();
		for (const each of blocked) {
			// Who has not had its turn is before those that have.
			if (this.#isBlocked) this.#blocked = new Set([...blocked].concat([...this.#blocked]));
			if (this.#isBlocked) break;
			blocked.delete(each);
			each.flush();
		}
		this.#count();
	}

	#count(): void {
		this.counters.tcpConnections = this.#tcp.size;
		this.counters.udpFlows = this.#udp.size;
		this.counters.buffered = this.budget.used;
	}
}

/** Where in what a packet carries its checksum lies, of the protocols that are understood. */
const checksumOffset: Readonly<Record<number, number | undefined>> = {
	[IpProtocol.TCP]: Tcp.offset('checksum'),
	[IpProtocol.UDP]: Udp.offset('checksum'),
	[IpProtocol.ICMP]: Icmp.offset('checksum'),
	[IpProtocol.ICMPV6]: Icmp.offset('checksum'),
};
