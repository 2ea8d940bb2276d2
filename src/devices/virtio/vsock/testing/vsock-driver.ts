import {setImmediate} from 'node:timers/promises';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {virtioVsockMmioType, virtioVsockPciType} from '../device-types.ts';
import {hostCid, Operation, PacketHeader, streamType} from '../layout.ts';

/** Fields of a packet of the guest's; the others are as a well-behaved one has them. */
export type GivenPacket = Partial<Parameters<typeof PacketHeader.encode>[0]>;

/** A packet that the guest has got. */
export interface GotPacket {
	readonly header: ReturnType<typeof PacketHeader.read>;
	readonly payload: Buffer;
}

const [receive, transmit, events] = [0, 1, 2];
const [receiveAt, transmitAt, eventAt] = [0x4_0000, 0xc_0000, 0xf_0000];
const [bufferBytes, mostSent] = [0x1000, 0x2_0000];
/** More looks than the slowest host needs. */
const mostLooks = 200_000;
export const guestCid = 7;

/** A guest's driver of sockets, whose every packet a test writes and reads. */
export class VsockDriver {
	readonly machine: VirtioMachine;
	readonly driver: TestDriver;
	readonly #got: GotPacket[] = [];

	private constructor(machine: VirtioMachine) {
		this.machine = machine;
		this.driver = new TestDriver(machine, 32);
	}

	/** A machine whose guest has given all its buffers. */
	static async start(path: string, transport: 'pci' | 'mmio' = 'pci'): Promise<VsockDriver> {
		const models = {pci: virtioVsockPciType, mmio: virtioVsockMmioType};
		const made = new VsockDriver(await VirtioMachine.opened(models[transport], transport, {cid: guestCid, path}));
		made.begin();
		return made;
	}

	/** A machine on PCI that goes on from elsewhere. @param restore - gives it its state, before it starts */
	static async restored(path: string, restore: (machine: VirtioMachine) => void): Promise<VsockDriver> {
		const machine = new VirtioMachine(virtioVsockPciType, 'pci', {cid: guestCid, path}, false);
		await machine.open();
		restore(machine);
		machine.start();
		return new VsockDriver(machine);
	}

	begin(buffers = 16): void {
		this.driver.begin([0], 3);
		for (let buffer = 0; buffer < buffers; buffer++) this.offer(buffer);
		this.offerEvent();
	}

	/** Gives a buffer for an event. */
	offerEvent(): void {
		this.driver.offer([{at: eventAt, length: 8, writable: true}], {queue: events});
	}

	/** Gives a buffer for a packet. */
	offer(buffer: number): void {
		const place = {at: receiveAt + bufferBytes * buffer, length: bufferBytes, writable: true};
		this.driver.offer([place], {queue: receive, head: buffer});
	}

	/** Sends a packet of the guest's port 1000 to the host's port 5000. */
	async send(fields: GivenPacket, payload: Uint8Array | string = ''): Promise<void> {
		this.#put(fields, payload);
		await this.until(() => this.isTaken);
	}

	/** Sends a packet. @returns false where the device does not take it at once */
	tried(fields: GivenPacket): boolean {
		this.#put(fields, '');
		this.machine.turn(0);
		return this.isTaken;
	}

	/** The device has taken a packet since this was looked at last. */
	get isTaken(): boolean {
		return this.driver.used(transmit).length > 0;
	}

	#put(fields: GivenPacket, payload: Uint8Array | string): void {
		const bytes = Buffer.from(payload as string);
		if (bytes.length > mostSent) throw new RangeError(`${bytes.length} bytes are too many for one packet`);
		const header = PacketHeader.encode({
			sourceCid: guestCid,
			targetCid: hostCid,
			sourcePort: 1000,
			targetPort: 5000,
			length: bytes.length,
			type: streamType,
			operation: Operation.RW,
			bufferBytes: 0x1_0000,
			...fields,
		});
		this.machine.memory.copyIn(transmitAt, header);
		this.machine.memory.copyIn(transmitAt + header.length, bytes);
		this.driver.offer([{at: transmitAt, length: header.length + bytes.length}], {queue: transmit});
		this.machine.registers.notify(transmit);
	}

	/** Resolves with the next packet of this kind that the guest gets; those before it are forgotten. */
	async next(operation: keyof typeof Operation): Promise<GotPacket> {
		for (;;) {
			await this.until(() => this.got.length > 0);
			const packet = this.#got.shift() as GotPacket;
			if (packet.header.operation === Operation[operation]) return packet;
		}
	}

	/** Packets that nobody has looked at, whose buffers are given again. */
	get got(): readonly GotPacket[] {
		const used = this.driver.used(receive);
		for (const [buffer, length] of used) {
			const bytes = Buffer.alloc(length);
			this.machine.memory.copyOut(receiveAt + bufferBytes * buffer, bytes);
			const payload = bytes.subarray(PacketHeader.size);
			this.#got.push({header: PacketHeader.read(bytes), payload});
			this.offer(buffer);
		}
		if (used.length > 0) this.machine.registers.notify(receive);
		return this.#got;
	}

	/** Tells the device of hosts' sockets whose other side has gone, as epoll(7) does unasked: the test's reactor tells what is asked for alone. */
	hangUp(): void {
		for (const {readable, writable, ready} of [...this.machine.reactor.watches])
			if (!readable && !writable) ready({readable, writable, failed: true});
	}

	/** Events that the guest has got. */
	get events(): number[] {
		return this.driver.used(events).map(() => this.machine.memory.readU32(eventAt) as never);
	}

	/** Lets the device work until something is so. */
	async until(isSo: () => boolean): Promise<void> {
		for (let look = 0; look < mostLooks; look++) {
			if (isSo()) return;
			this.machine.turn(0);
			await setImmediate();
		}
		throw new Error('what was waited for has not come');
	}

	/** A word of the device's state. */
	state(name: 'connections' | 'refused' | 'cutOff'): number {
		return this.machine.machine.stateOf('it')?.[name] as number;
	}

	async dispose(): Promise<void> {
		await this.machine.stop();
		await this.machine.dispose();
	}
}
