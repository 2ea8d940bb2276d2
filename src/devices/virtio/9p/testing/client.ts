import {setImmediate} from 'node:timers/promises';
import type {Folder} from '#devices/folder';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {Errno} from '#support/ffi';
import {viewOf} from '#support/wire';
import {noFid} from '../fid-table.ts';
import {headerBytes, type InputsOf, type Items, type Message, writeHeader} from '../message.ts';
import {Reply, Request} from '../messages.ts';
import {virtio9pOver} from '../virtio-9p.ts';

const [requestsAt, repliesAt, slotBytes] = [0x2_0000, 0x8_0000, 0x8000];
const slots = 8;
/** More looks than the slowest host needs. */
const mostLooks = 200_000;
export const noTag = 0xffff;
export const rootFid = 0;

/** How a request differs from a usual one. */
export interface Unusual {
	readonly tag?: number;
	/** Bytes behind the fields. */
	readonly data?: Uint8Array | string;
	/** Bytes of room for the reply. */
	readonly room?: number;
	/** The length that its header says. */
	readonly size?: number;
	/** Bytes of each buffer of the request. */
	readonly split?: number;
}

/** What a client has got. */
export interface Got {
	readonly type: number;
	readonly tag: number;
	readonly bytes: Buffer;
	/** The name of the error, for an Rlerror. */
	readonly error: string | undefined;
}

/** A guest's client, whose every message a test writes and reads. */
export class P9Client {
	readonly machine: VirtioMachine;
	readonly driver: TestDriver;
	readonly #got = new Map<number, Got>();
	/** Slots whose requests have no reply. */
	readonly #busy = new Set<number>();
	#next = 0;

	constructor(machine: VirtioMachine) {
		this.machine = machine;
		this.driver = new TestDriver(machine, 128);
	}

	/** @param restore - gives the machine its state before it starts */
	static async start(
		folder: Folder,
		transport: 'pci' | 'mmio' = 'pci',
		restore?: (machine: VirtioMachine) => void,
	): Promise<P9Client> {
		const models = virtio9pOver(() => folder);
		const machine = new VirtioMachine(models[transport], transport, {tag: 'host', folder: undefined}, false);
		await machine.open();
		restore?.(machine);
		machine.start();
		return new P9Client(machine);
	}

	/** Requests that have been sent. */
	get sent(): number {
		return this.#next;
	}

	/** The slot of the next request still waits for the reply of its last one. */
	get isBusy(): boolean {
		this.got(0);
		return this.#busy.has(this.#next % slots);
	}

	/** Goes on where the client of another machine was. */
	skip(sent: number): void {
		this.#next = sent;
	}

	/** Negotiates, and has {@link rootFid} stand for the folder. */
	async begin(user = 0, features: readonly number[] = []): Promise<void> {
		this.driver.begin([0, ...features]);
		this.#got.clear();
		this.#busy.clear();
		await this.ask(Request.version, {mostBytes: 0x7000, version: '9P2000.L'}, {tag: noTag});
		await this.attach(rootFid, user);
	}

	async attach(fid: number, userId = 0): Promise<Got> {
		return this.ask(Request.attach, {fid, authFid: noFid, user: 'root', tree: '', userId});
	}

	/** Sends a request and resolves with its reply. */
	async ask<T extends Items>(message: Message<T>, fields: InputsOf<T>, unusual: Unusual = {}): Promise<Got> {
		return this.reply(this.send(message, fields, unusual));
	}

	/** The same, of a request that is to succeed. @returns the reply's fields */
	async does<T extends Items, R extends Items>(
		message: Message<T>,
		reply: Message<R>,
		fields: InputsOf<T>,
		unusual: Unusual = {},
	) {
		const got = await this.ask(message, fields, unusual);
		if (got.type !== reply.type) throw new Error(`${message.name}: ${got.error ?? `a reply of type ${got.type}`}`);
		const end = reply.name === 'Rread' || reply.name === 'Rreaddir' ? headerBytes + 4 : got.bytes.length;
		const read = reply.read(got.bytes.subarray(0, reply.name === 'Rwalk' ? headerBytes + 2 : end));
		if (typeof read === 'number') throw new Error(`${reply.name} is malformed`);
		return read;
	}

	/** The error's name of a request that is to fail; its reply's type where it does not. */
	async refusal<T extends Items>(message: Message<T>, fields: InputsOf<T>, unusual: Unusual = {}): Promise<string> {
		const {error, type} = await this.ask(message, fields, unusual);
		return error ?? `done: ${type}`;
	}

	/** Sends a request. @returns the slot in which the reply will be */
	send<T extends Items>(message: Message<T>, fields: InputsOf<T>, {data = '', ...unusual}: Unusual = {}): number {
		const bytes = Buffer.alloc(slotBytes);
		const length = message.write(bytes, unusual.tag ?? this.#next % slots, fields) ?? 0;
		const behind = Buffer.from(data as string);
		bytes.set(behind, length);
		writeHeader(bytes, unusual.size ?? length + behind.length, message.type, unusual.tag ?? this.#next % slots);
		return this.sendBytes(bytes.subarray(0, length + behind.length), unusual);
	}

	sendBytes(bytes: Uint8Array, {room = slotBytes, split = slotBytes}: Unusual = {}): number {
		const slot = this.#next++ % slots;
		this.#got.delete(slot);
		this.#busy.add(slot);
		const at = requestsAt + slotBytes * slot;
		this.machine.memory.copyIn(at, bytes);
		const buffers = [];
		for (let start = 0; start < bytes.length; start += split)
			buffers.push({at: at + start, length: Math.min(split, bytes.length - start)});
		const reply = {at: repliesAt + slotBytes * slot, length: room, writable: true};
		this.driver.offer(room > 0 ? [...buffers, reply] : buffers, {head: 4 * slot});
		this.machine.registers.notify(0);
		return slot;
	}

	/** What has come for a slot. */
	got(slot: number): Got | undefined {
		for (const [head, length] of this.driver.used()) {
			const bytes = Buffer.alloc(length);
			this.machine.memory.copyOut(repliesAt + (slotBytes * head) / 4, bytes);
			this.#got.set(head / 4, gotOf(bytes));
			this.#busy.delete(head / 4);
		}
		return this.#got.get(slot);
	}

	/** Resolves with the reply in a slot. */
	async reply(slot: number): Promise<Got> {
		await this.until(() => this.got(slot) !== undefined);
		const got = this.#got.get(slot) as Got;
		this.#got.delete(slot);
		return got;
	}

	/** Has `fid` stand for what names lead to. */
	async walk(fid: number, newFid: number, ...names: string[]): Promise<Got> {
		return this.ask(Request.walk, {fid, newFid, names: names as never});
	}

	/** Opens what names lead to from the root, under a new fid. */
	async open(fid: number, flags: number, ...names: string[]): Promise<void> {
		await this.walk(rootFid, fid, ...names);
		await this.does(Request.lopen, Reply.lopen, {fid, flags});
	}

	/** What an open file has. */
	async content(fid: number, offset = 0, count = 4096): Promise<Buffer> {
		const {bytes} = await this.ask(Request.read, {fid, offset, count});
		return bytes.subarray(headerBytes + 4);
	}

	/** Names of an open directory, asked for in pieces. */
	async names(fid: number, count = 4096): Promise<string[]> {
		const found: string[] = [];
		for (let offset = 0n; ; ) {
			const {bytes} = await this.ask(Request.readdir, {fid, offset, count});
			const entries = entriesOf(bytes.subarray(headerBytes + 4));
			if (entries.length === 0) return found;
			found.push(...entries.map(({name}) => name));
			offset = entries.at(-1)?.offset ?? 0n;
		}
	}

	async until(isSo: () => boolean): Promise<void> {
		for (let look = 0; look < mostLooks; look++) {
			if (isSo()) return;
			for (const [worker] of this.machine.workers.entries()) this.machine.turn(worker);
			await setImmediate();
		}
		throw new Error('what was waited for has not come');
	}

	state(name: 'fids' | 'lost' | 'mostBytes'): number {
		return this.machine.machine.stateOf('it')?.[name] as number;
	}

	dispose(): Promise<void> {
		return this.machine.dispose();
	}
}

function gotOf(bytes: Buffer): Got {
	if (bytes.length < headerBytes) return {type: 0, tag: 0, bytes, error: 'nothing'};
	const view = viewOf(bytes);
	const [type, tag] = [view.getUint8(4), view.getUint16(5, true)];
	const errno = type === Reply.error.type ? view.getUint32(headerBytes, true) : undefined;
	const error =
		errno === undefined ? undefined : (Object.entries(Errno).find(([, number]) => number === errno)?.[0] ?? `${errno}`);
	return {type, tag, bytes, error};
}

function entriesOf(bytes: Buffer): {readonly name: string; readonly offset: bigint; readonly type: number}[] {
	const found = [];
	for (let at = 0; at < bytes.length; ) {
		const length = bytes.readUInt16LE(at + 22);
		found.push({
			offset: bytes.readBigUInt64LE(at + 13),
			type: bytes.readUInt8(at + 21),
			name: bytes.toString('latin1', at + 24, at + 24 + length),
		});
		at += 24 + length;
	}
	return found;
}
