import type {Chain} from '#devices/virtio/queue';
import {ByteQueue} from './byte-queue.ts';
import {Credit} from './credit.ts';
import type {HostSocket} from './host-socket.ts';
import {hostCid, Operation, PacketHeader, Shutdown, streamType} from './layout.ts';

/** Most bytes of one packet to the guest; its buffers are shorter as a rule. */
export const mostPayload = 2 ** 16;

/** Packets without bytes of the host's that a connection has for the guest, in the order in which they go. */
const owedInOrder = [Operation.REQUEST, Operation.RESPONSE, Operation.CREDIT_UPDATE, Operation.CREDIT_REQUEST] as const;
type Owed = (typeof owedInOrder)[number];

/** Header of a packet of the guest's. */
export type Packet = ReturnType<typeof PacketHeader.read>;

/** The two ports that tell a connection from others. */
export interface Ports {
	readonly guest: number;
	readonly host: number;
}

/** A connection between a guest's port and a socket of the host's. */
export class Connection {
	readonly ports: Ports;
	/** The guest's side has asked for it or agreed to it. */
	isOpen = false;
	readonly credit: Credit;
	readonly #cid: number;
	readonly #queue: ByteQueue;
	#socket: HostSocket | undefined;
	/** Bytes of the host's that came together with its request. */
	#head: Uint8Array = new Uint8Array();
	readonly #owed = new Set<Owed>();
	/** The guest has been asked for credit, and has not answered. */
	#hasAsked = false;
	/** What the guest does no more, and what it has been told that the host does no more: bits of {@link Shutdown}. */
	#guestEnded = 0;
	#told = 0;
	/** The host's socket has been told that the guest sends no more. */
	#isEndPassedOn = false;

	/**
	 * @param cid - the guest's address
	 * @param promised - bytes kept for what the host does not take at once
	 */
	constructor(ports: Ports, cid: number, promised: number) {
		this.ports = ports;
		this.#cid = cid;
		this.credit = new Credit(promised);
		this.#queue = new ByteQueue(promised);
	}

	/** @param head - bytes that were read from the socket before */
	attach(socket: HostSocket, head: Uint8Array = new Uint8Array()): void {
		this.#socket = socket;
		this.#head = head;
	}

	get socket(): HostSocket | undefined {
		return this.#socket;
	}

	/** Both directions have ended for the guest: it wants nothing but a reset. */
	get isGuestDone(): boolean {
		return this.#guestEnded === Shutdown.both;
	}

	/** The guest sends no more in good order, and the host has not taken all: that goes on without the guest. */
	get lingers(): boolean {
		return (this.#guestEnded & Shutdown.SEND) !== 0 && this.#queue.length > 0 && this.#socket?.isGone === false;
	}

	/** The guest has not been told of the host's request. */
	get isUnknown(): boolean {
		return this.#owed.has(Operation.REQUEST);
	}

	/** Has the guest told something. */
	owe(operation: Owed): void {
		this.#owed.add(operation);
	}

	/** Notes what the guest says of its buffers. @returns false for a lie */
	heard({bufferBytes, forwarded}: Packet): boolean {
		const before = this.credit.room;
		if (!this.credit.heard(bufferBytes, forwarded)) return false;
		if (this.credit.room > before) this.#hasAsked = false;
		return true;
	}

	/**
	 * Takes the guest's bytes, and gives the host as many as it takes now.
	 * @returns false where they are more than was promised, or come after the guest's own end, or their memory has gone
	 */
	receive(chain: Chain, length: number): boolean {
		if ((this.#guestEnded & Shutdown.SEND) !== 0 || !this.credit.received(length)) return false;
		const copy = (piece: Uint8Array, offset: number) => chain.read(PacketHeader.size + offset, piece);
		if (!this.#queue.add(length, copy)) return false;
		this.pump();
		return true;
	}

	/** The guest receives or sends no more. */
	guestEnds(flags: number): void {
		this.#guestEnded |= flags & Shutdown.both;
		if ((flags & Shutdown.RECEIVE) !== 0) {
			this.#head = new Uint8Array();
			this.#socket?.end('read');
		}
		this.pump();
	}

	/** Gives the host what it takes. */
	pump(): void {
		const socket = this.#socket;
		if (socket === undefined) return;
		while (this.#queue.length > 0 && !socket.isGone) {
			const count = socket.write(this.#queue.peek());
			if (count === 0) break;
			this.#queue.consume(count);
			this.credit.handedOn(count);
		}
		if (socket.isGone) {
			this.credit.handedOn(this.#queue.length);
			this.#queue.clear();
		}
		if (this.credit.isUpdateDue) this.owe(Operation.CREDIT_UPDATE);
		if (this.#queue.length > 0 || (this.#guestEnded & Shutdown.SEND) === 0 || this.#isEndPassedOn) return;
		this.#isEndPassedOn = true;
		socket.end('write');
	}

	/** Asks the host's socket for the calls that it wants now. */
	settle(): void {
		const socket = this.#socket;
		if (socket === undefined) return;
		const reads = this.isOpen && !socket.isReadable && !socket.hasEnded;
		socket.interest(reads, this.#queue.length > 0);
	}

	/** There is something for the guest, or there may be. */
	get wantsTurn(): boolean {
		if (this.#owed.size > 0) return true;
		if (!this.isOpen) return false;
		return (this.#hasBytes && (this.credit.room > 0 || !this.#hasAsked)) || this.#untold !== 0;
	}

	/**
	 * Writes the next packet for the guest.
	 * @param packet - room for header and bytes of one packet
	 * @param most - bytes that the guest's buffer has room for, the header included
	 * @returns its length, 0 where there is none
	 */
	nextPacket(packet: Uint8Array, most: number): number {
		for (const owed of owedInOrder) if (this.#owed.delete(owed)) return this.#put(packet, owed);
		if (!this.isOpen) return 0;
		if (this.#hasBytes) {
			const {room} = this.credit;
			if (room === 0 && !this.#hasAsked) {
				this.#hasAsked = true;
				return this.#put(packet, Operation.CREDIT_REQUEST);
			}
			const count = this.#read(packet, Math.min(room, most - PacketHeader.size));
			if (count > 0) return this.#put(packet, Operation.RW, count);
		}
		if (this.#untold === 0) return 0;
		this.#told |= this.#untold;
		return this.#put(packet, Operation.SHUTDOWN, 0, this.#told);
	}

	get #hasBytes(): boolean {
		if (this.#head.length > 0) return true;
		const socket = this.#socket;
		return socket?.isReadable === true && !socket.hasEnded;
	}

	/** Ends of the host's of which the guest has not been told. That it sends no more comes behind all bytes. */
	get #untold(): number {
		const socket = this.#socket;
		const hasSent = socket?.hasEnded === true && this.#head.length === 0;
		return ((socket?.isGone === true ? Shutdown.RECEIVE : 0) | (hasSent ? Shutdown.SEND : 0)) & ~this.#told;
	}

	/** Reads bytes of the host's to where a packet has them. */
	#read(packet: Uint8Array, most: number): number {
		const target = packet.subarray(PacketHeader.size, PacketHeader.size + Math.min(most, mostPayload));
		const head = this.#head.subarray(0, target.length);
		if (head.length === 0) return this.#socket?.read(target) ?? 0;
		target.set(head);
		this.#head = this.#head.subarray(head.length);
		return head.length;
	}

	/** Writes the header, which says how many of the guest's bytes the host has taken. */
	#put(packet: Uint8Array, operation: number, length = 0, flags = 0): number {
		this.credit.sent(length);
		this.credit.told();
		const {guest, host} = this.ports;
		const header = PacketHeader.encode({
			sourceCid: hostCid,
			targetCid: this.#cid,
			sourcePort: host,
			targetPort: guest,
			length,
			type: streamType,
			operation,
			flags,
			bufferBytes: this.credit.promised,
			forwarded: this.credit.forwarded,
		});
		packet.set(header);
		return header.length + length;
	}

	/** Lets go of the host's socket. */
	close(): void {
		this.#socket?.close();
		this.#queue.clear();
		this.#owed.clear();
	}
}
