import {randomInt} from 'node:crypto';
import type {VirtioBack, VirtioServices} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {type FieldsView, u32, wire} from '#support/wire';
import {Connection, mostPayload, type Packet, type Ports} from './connection.ts';
import type {VirtioVsockConfig} from './handle.ts';
import {type Asker, HostSide} from './host-side.ts';
import type {HostSocket} from './host-socket.ts';
import {eventTransportReset, hostCid, Operation, PacketHeader, streamType, VsockEvent} from './layout.ts';

/** Numbers of the features (virtio 1.2, 5.10.3). */
export const vsockFeatures = {stream: 0} as const;
export type VsockFeature = keyof typeof vsockFeatures;

/** Queues (5.10.2). */
export const vsockQueues = ['receive', 'transmit', 'event'] as const;
const [receiveQueue, transmitQueue, eventQueue] = [0, 1, 2];

/** Connections at once, among them such as are still to be made. */
const mostConnections = 1024;
/** Bytes kept for all of them together, but for the least that each one gets: a later one gets less. */
const bufferBudget = 16 * 2 ** 20;
const [leastBuffer, mostBuffer, budgetShare] = [16 * 2 ** 10, 256 * 2 ** 10, 8];
/** Resets that wait for the guest's buffers, and sockets that are being looked for, beyond which nothing of the guest's is taken. */
const [mostResets, mostDials] = [256, 16];
/** Ports of the host's for connections that begin here, from this one on. */
const firstHostPort = 2 ** 30;

export const VsockState = wire('virtio-vsock', {
	/** Tells whose connections the guest has: a number that the back draws, or 0 when the machine is as new. */
	host: u32,
	/** Connections now, and what has been refused and cut off since power-on. */
	connections: u32,
	refused: u32,
	cutOff: u32,
});
type State = FieldsView<typeof VsockState.fields>;

/** A reset that the guest is to be told. */
interface OwedReset extends Ports {
	/** The address that the guest had asked for. */
	readonly from: number;
	readonly type: number;
}

/** Moves packets between the guest's queues and sockets of the host's. */
export class VsockBack implements VirtioBack {
	readonly #cid: number;
	readonly #state: State;
	readonly #services: VirtioServices<VsockFeature>;
	readonly #host: HostSide;
	readonly #own = randomInt(1, 2 ** 32);
	readonly #connections = new Map<string, Connection>();
	/** Those that the guest has ended, and whose bytes the host has not taken. */
	readonly #lingering = new Set<Connection>();
	/** Those that have something for the guest, in the order of their turns. */
	readonly #turns = new Set<Connection>();
	readonly #resets: OwedReset[] = [];
	readonly #packet = new Uint8Array(PacketHeader.size + mostPayload);
	#promised = 0;
	/** Sockets of the host's that are being looked for, also for requests that the guest has given up. */
	#dials = 0;
	#nextHostPort = firstHostPort;
	#isRunning = false;
	/** The guest's connections are of another run of the machine, and it has not been told. */
	#isLost = false;
	/** The guest's packets wait until there is room for resets, and fewer sockets are being looked for. */
	#isHeld = false;

	constructor({cid, path}: VirtioVsockConfig, state: State, services: VirtioServices<VsockFeature>) {
		this.#cid = cid;
		this.#state = state;
		this.#services = services;
		this.#host = new HostSide(path, services.reactor, (asker) => this.#request(asker));
	}

	open(): Promise<void> {
		return this.#host.open();
	}

	start(): void {
		const {host} = this.#state;
		if (host !== this.#own) {
			this.#dropAll();
			// A guest that has a host has just been restored from a snapshot.
			this.#isLost = host !== 0;
		}
		this.#services.locked(() => {
			this.#state.host = this.#own;
			this.#state.connections = this.#connections.size;
		});
		this.#isRunning = true;
		this.#host.start();
		for (const connection of [...this.#connections.values(), ...this.#lingering]) this.#follow(connection);
	}

	async stop(): Promise<void> {
		this.#isRunning = false;
		this.#host.stop();
		for (const {socket} of [...this.#connections.values(), ...this.#lingering]) socket?.rest();
	}

	inFlight(): string | undefined {
		return this.#host.inFlight;
	}

	queueReady(queue: VirtQueue, index: number): void {
		if (index === receiveQueue) this.#fillBuffers(queue);
		else if (index === transmitQueue) this.#takePackets(queue);
		else if (index === eventQueue) this.#tellEvent(queue);
	}

	reset(): void {
		this.#dropAll();
		this.#isLost = false;
		this.#state.host = this.#state.connections = 0;
	}

	async dispose(): Promise<void> {
		this.#dropAll();
		await this.#host.dispose();
	}

	/** Fills the guest's buffers: resets first, then a packet of each connection in turn. */
	#fillBuffers(queue: VirtQueue): void {
		while (this.#resets.length > 0 || this.#turns.size > 0) {
			const buffer = queue.next();
			if (buffer === undefined) break;
			const room = Math.min(buffer.writable, this.#packet.length);
			const length = this.#nextPacket(room);
			if (length === 0) queue.putBack(buffer);
			else queue.complete(buffer, length > 0 && buffer.write(0, this.#packet, 0, length) ? length : 0);
		}
		this.#listen();
	}

	/** Takes the guest's packets again that had to wait. */
	#listen(): void {
		if (!this.#isHeld || this.#mayHold || !this.#isRunning) return;
		this.#isHeld = false;
		this.#services.serve(transmitQueue);
	}

	get #mayHold(): boolean {
		return this.#resets.length >= mostResets || this.#dials >= mostDials;
	}

	/** Writes the next packet for the guest to {@link #packet}; returns its length, 0 where there is none, -1 where there is not the room. */
	#nextPacket(room: number): number {
		// A buffer without room for a header gets nothing (5.10.6.1).
		if (room < PacketHeader.size) return -1;
		const reset = this.#resets.shift();
		if (reset !== undefined) return this.#writeReset(reset);
		// Nor does one that could have no byte of what a connection may have.
		if (room === PacketHeader.size) return -1;
		for (const connection of this.#turns) {
			this.#turns.delete(connection);
			const length = connection.nextPacket(this.#packet, room);
			this.#follow(connection);
			if (length > 0) return length;
		}
		return 0;
	}

	#writeReset({guest, host, from, type}: OwedReset): number {
		const header = PacketHeader.encode({
			sourceCid: from,
			targetCid: this.#cid,
			sourcePort: host,
			targetPort: guest,
			type,
			operation: Operation.RST,
		});
		this.#packet.set(header);
		return header.length;
	}

	#takePackets(queue: VirtQueue): void {
		for (;;) {
			this.#isHeld = this.#mayHold;
			const chain = this.#isHeld ? undefined : queue.next();
			if (chain === undefined) return;
			this.#takePacket(chain);
			queue.complete(chain, 0);
		}
	}

	#takePacket(chain: Chain): void {
		const bytes = new Uint8Array(PacketHeader.size);
		if (!chain.read(0, bytes)) return;
		const packet = PacketHeader.read(bytes);
		const {sourceCid, targetCid, sourcePort: guest, targetPort: host, type, operation} = packet;
		// Whoever is not the guest gets no answer (5.10.6.4.1).
		if (sourceCid !== this.#cid) return;
		const ports = {guest, host};
		const connection = targetCid === hostCid && type === streamType ? this.#connections.get(nameOf(ports)) : undefined;
		if (connection !== undefined) this.#takeOf(connection, packet, chain);
		else if (operation === Operation.RST) return;
		else if (operation === Operation.REQUEST && targetCid === hostCid && type === streamType) this.#dial(ports, packet);
		else this.#owe({...ports, from: targetCid, type});
	}

	/** Takes a packet of a connection that there is; what breaks its rules ends it. */
	#takeOf(connection: Connection, packet: Packet, chain: Chain): void {
		if (packet.operation === Operation.RST) this.#drop(connection);
		else if (!this.#obeys(connection, packet, chain)) this.#cut(connection);
		else if (connection.isGuestDone) this.#end(connection);
		else this.#follow(connection);
	}

	/** Does what a packet says. @returns false for one that breaks the rules */
	#obeys(connection: Connection, packet: Packet, chain: Chain): boolean {
		const {operation, length, flags} = packet;
		if (length > chain.readable - PacketHeader.size || !connection.heard(packet)) return false;
		switch (operation) {
			case Operation.RESPONSE:
				return this.#answered(connection);
			case Operation.RW:
				return connection.isOpen && connection.receive(chain, length);
			case Operation.SHUTDOWN:
				if (connection.isOpen) connection.guestEnds(flags);
				return connection.isOpen;
			case Operation.CREDIT_UPDATE:
				return true;
			case Operation.CREDIT_REQUEST:
				connection.owe(Operation.CREDIT_UPDATE);
				return true;
			default:
				return false;
		}
	}

	/** The guest connects to a port of the host's. */
	#dial(ports: Ports, packet: Packet): void {
		const connection = this.#add(ports);
		if (connection === undefined) {
			this.#refuse(ports);
			return;
		}
		connection.heard(packet);
		this.#dials++;
		const dialed = this.#host.dial(ports.host).then((socket) => this.#dialed(connection, socket));
		this.#services.track(dialed, "a look for the host's socket");
	}

	#dialed(connection: Connection, socket: HostSocket | undefined): void {
		this.#dials--;
		this.#listen();
		if (!this.#has(connection)) socket?.close();
		else if (socket === undefined) {
			this.#drop(connection);
			this.#refuse(connection.ports);
		} else {
			this.#attach(connection, socket);
			connection.isOpen = true;
			connection.owe(Operation.RESPONSE);
			this.#follow(connection);
		}
	}

	/** A client of the host's connects to a port of the guest's. */
	#request({socket, port, rest}: Asker): void {
		const connection = this.#services.queue(receiveQueue) && this.#add({guest: port, host: this.#freePort(port)});
		if (connection === undefined) {
			socket.close();
			this.#services.locked(() => this.#state.refused++);
			return;
		}
		this.#attach(connection, socket, rest);
		connection.owe(Operation.REQUEST);
		this.#follow(connection);
	}

	/** The guest agrees to a connection that a client has asked for. */
	#answered(connection: Connection): boolean {
		const {socket, isOpen, ports} = connection;
		if (socket === undefined || isOpen) return false;
		connection.isOpen = true;
		socket.write(new TextEncoder().encode(`OK ${ports.host}\n`));
		return true;
	}

	#attach(connection: Connection, socket: HostSocket, rest?: Uint8Array): void {
		connection.attach(socket, rest);
		socket.ready = () => {
			if (!this.#has(connection) && !this.#lingering.has(connection)) return;
			// A client that does not wait for the guest's answer wants none.
			if (!connection.isOpen && socket.isGone) {
				if (connection.isUnknown) this.#drop(connection);
				else this.#end(connection);
				return;
			}
			connection.pump();
			this.#follow(connection);
		};
	}

	/** Has a connection do what it can do next. */
	#follow(connection: Connection): void {
		if (!this.#isRunning) return;
		if (this.#lingering.has(connection) && !connection.lingers) {
			this.#close(connection);
			return;
		}
		// A guest that hears of its old connections' end ends all that it has.
		const isEarly = this.#isLost && connection.isUnknown;
		if (this.#has(connection) && connection.wantsTurn && !isEarly) {
			this.#turns.add(connection);
			this.#services.serve(receiveQueue);
		}
		connection.settle();
	}

	#tellEvent(queue: VirtQueue): void {
		const chain = this.#isLost ? queue.next() : undefined;
		if (chain === undefined) return;
		this.#isLost = false;
		const event = VsockEvent.encode({id: eventTransportReset});
		queue.complete(chain, chain.write(0, event) ? event.length : 0);
		for (const connection of this.#connections.values()) this.#follow(connection);
	}

	#has(connection: Connection): boolean {
		return this.#connections.get(nameOf(connection.ports)) === connection;
	}

	/** Makes a connection; undefined where there are too many. */
	#add(ports: Ports): Connection | undefined {
		if (this.#connections.size + this.#lingering.size >= mostConnections) return undefined;
		const share = Math.floor((bufferBudget - this.#promised) / budgetShare);
		const connection = new Connection(ports, this.#cid, Math.max(leastBuffer, Math.min(mostBuffer, share)));
		this.#promised += connection.credit.promised;
		this.#connections.set(nameOf(ports), connection);
		this.#count();
		return connection;
	}

	/** The guest knows a connection no more; what it has sent in good order still reaches the host. */
	#drop(connection: Connection): void {
		this.#connections.delete(nameOf(connection.ports));
		this.#count();
		this.#turns.delete(connection);
		if (connection.lingers) {
			this.#lingering.add(connection);
			this.#follow(connection);
		} else this.#close(connection);
	}

	#close(connection: Connection): void {
		this.#lingering.delete(connection);
		this.#turns.delete(connection);
		this.#promised -= connection.credit.promised;
		connection.close();
	}

	/** Ends a connection, and tells the guest. */
	#end(connection: Connection): void {
		this.#drop(connection);
		this.#owe({...connection.ports, from: hostCid, type: streamType});
	}

	/** Ends a connection whose rules the guest has broken. */
	#cut(connection: Connection): void {
		this.#connections.delete(nameOf(connection.ports));
		this.#close(connection);
		this.#owe({...connection.ports, from: hostCid, type: streamType});
		this.#count();
		this.#services.locked(() => this.#state.cutOff++);
	}

	#refuse(ports: Ports): void {
		this.#owe({...ports, from: hostCid, type: streamType});
		this.#services.locked(() => this.#state.refused++);
	}

	#owe(reset: OwedReset): void {
		this.#resets.push(reset);
		if (this.#isRunning) this.#services.serve(receiveQueue);
	}

	#count(): void {
		this.#services.locked(() => {
			this.#state.connections = this.#connections.size;
		});
	}

	/** A port of the host's that has no connection to this port of the guest's. */
	#freePort(guest: number): number {
		do this.#nextHostPort = this.#nextHostPort === 2 ** 31 - 1 ? firstHostPort : this.#nextHostPort + 1;
		while (this.#connections.has(nameOf({guest, host: this.#nextHostPort})));
		return this.#nextHostPort;
	}

	/** Lets go of all connections without telling the guest. May be called under the device's lock. */
	#dropAll(): void {
		for (const connection of [...this.#connections.values(), ...this.#lingering]) connection.close();
		this.#connections.clear();
		this.#lingering.clear();
		this.#turns.clear();
		this.#resets.length = this.#promised = 0;
		this.#isHeld = false;
	}
}

const nameOf = ({guest, host}: Ports): string => `${guest} ${host}`;
