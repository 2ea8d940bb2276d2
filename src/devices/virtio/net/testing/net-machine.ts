import type {Frame, Offloads} from '#devices/network/endpoint';
import {VnetHeader} from '#devices/network/packet';
import {TestEndpoint} from '#devices/network/testing';
import {TestDriver, type TransportName, VirtioMachine} from '#devices/virtio/testing';
import {NetCounters} from '../counters.ts';
import {type NetFeature, netFeatures} from '../features.ts';
import {virtioNetOver} from '../virtio-net.ts';

export const mac = Uint8Array.of(0x00, 0x15, 0x5d, 1, 2, 3);

export interface NetMachineOptions {
	readonly transport?: TransportName;
	readonly takes?: Offloads;
	readonly features?: readonly NetFeature[];
	readonly queues?: number;
	readonly mtu?: number;
	readonly queueSize?: number;
	/** Ring features besides. */
	readonly rings?: readonly number[];
	/** A stopped one, of which this is restored; it has another address as it was asked for. */
	readonly from?: NetMachine;
}

/** Where the driver has what it sends, what it gets and what it asks for; its rings are at 64 KiB and behind. */
const [sentAt, controlAt, answerAt, receivedAt] = [0x4_0000, 0x5_2000, 0x5_2f00, 0x6_0000];
/** Room between buffers that are received into, and between those of queues. */
const [bufferRoom, pairRoom] = [0x1000, 0x1_0000];

const placeOf = (pair: number, head: number): number => receivedAt + pairRoom * pair + bufferRoom * head;

/** A machine with a NIC, the test at the other end of its wire, and a driver. */
export class NetMachine {
	readonly machine: VirtioMachine;
	readonly endpoint: TestEndpoint;
	readonly driver: TestDriver;
	readonly controlQueue: number;

	private constructor(machine: VirtioMachine, endpoint: TestEndpoint, driver: TestDriver, controlQueue: number) {
		this.machine = machine;
		this.endpoint = endpoint;
		this.driver = driver;
		this.controlQueue = controlQueue;
	}

	/** One whose driver has begun with such features. */
	static async begin({features = [], rings = [], ...options}: NetMachineOptions = {}): Promise<NetMachine> {
		const made = await NetMachine.open({...options, features});
		const queues = made.controlQueue + 1;
		made.driver.begin([...features.map((name) => netFeatures[name]), ...rings], queues);
		return made;
	}

	static async open({
		transport = 'pci',
		takes,
		queues = 1,
		mtu = 1500,
		queueSize = 8,
		features = [],
		from,
	}: NetMachineOptions): Promise<NetMachine> {
		const endpoint = new TestEndpoint(takes);
		const over = virtioNetOver(async (_source, nic) => {
			endpoint.nic = nic;
			return endpoint;
		});
		const address = from === undefined ? '00:15:5d:01:02:03' : '02:00:00:00:00:77';
		const config = {endpoint: {kind: 'none'}, mac: address, mtu, queues, packed: true};
		const machine = new VirtioMachine(over[transport] as never, transport, config, false);
		await machine.open();
		const driver = new TestDriver(machine, queueSize);
		if (from !== undefined) {
			const ram = new Uint8Array(0x10_0000);
			from.machine.memory.copyOut(0, ram);
			machine.memory.copyIn(0, ram);
			machine.machine.restore(from.machine.machine.save());
			driver.resume(from.driver);
		}
		machine.start();
		const controlQueue = features.includes('pairs') ? 2 * queues : 2;
		return new NetMachine(machine, endpoint, driver, controlQueue);
	}

	/** Sends a frame, whose header says of it what it says of itself, or what else is given. */
	async send(frame: Frame, header: Partial<Record<string, number>> = {}, pair = 0): Promise<void> {
		const {memory} = this.machine;
		memory.copyIn(
			sentAt,
			VnetHeader.encode({
				flags: frame.needsChecksum ? 1 : 0,
				segmentation: frame.segmentation,
				segmentBytes: frame.segmentBytes,
				checksumStart: frame.checksumStart,
				checksumOffset: frame.checksumOffset,
				...header,
			}),
		);
		memory.copyIn(sentAt + VnetHeader.size, frame.bytes, 0, frame.length);
		this.driver.offer(
			[
				{at: sentAt, length: VnetHeader.size},
				{at: sentAt + VnetHeader.size, length: frame.length},
			],
			{queue: 2 * pair + 1},
		);
		await this.driver.notify(2 * pair + 1);
	}

	/** Gives the NIC buffers of these lengths to receive into. */
	async offerBuffers(lengths: readonly number[], pair = 0): Promise<void> {
		for (const [index, length] of lengths.entries())
			this.driver.offer([{at: placeOf(pair, index), length, writable: true}], {
				queue: 2 * pair,
				head: index,
			});
		await this.driver.notify(2 * pair);
	}

	/** What has been received since the last call: header, frame and buffers of each. */
	received(pair = 0) {
		const used = this.driver.used(2 * pair);
		const found: {header: ReturnType<typeof VnetHeader.read>; bytes: Uint8Array; buffers: number}[] = [];
		while (used.length > 0) {
			const [head, written] = used.shift() as [number, number];
			const bytes = this.#bytes(pair, head, written);
			const header = VnetHeader.read(bytes);
			const rest = used.splice(0, header.buffers - 1).map(([at, length]) => this.#bytes(pair, at, length));
			found.push({header, bytes: Buffer.concat([bytes.subarray(VnetHeader.size), ...rest]), buffers: 1 + rest.length});
		}
		return found;
	}

	/** Asks for something by the control queue. Returns the answer. */
	async ask(...bytes: readonly number[]): Promise<number> {
		const {memory} = this.machine;
		memory.copyIn(controlAt, Uint8Array.from(bytes));
		memory.fill(answerAt, 1, 0xee);
		this.driver.offer(
			[
				{at: controlAt, length: 2},
				{at: controlAt + 2, length: bytes.length - 2},
				{at: answerAt, length: 1, writable: true},
			],
			{queue: this.controlQueue},
		);
		await this.driver.notify(this.controlQueue);
		this.driver.used(this.controlQueue);
		const answer = new Uint8Array(1);
		memory.copyOut(answerAt, answer);
		return answer[0] as number;
	}

	/** Status in configuration space. */
	get status(): number {
		return this.machine.registers.readConfig(6, 2);
	}

	/** The NIC's counters, by name. */
	get counters(): Readonly<Record<string, number>> {
		const {placed} = this.machine.machine.devices.find(({placed: {name}}) => name === 'it') as never as {
			placed: {hostMemory: SharedArrayBuffer};
		};
		return NetCounters.on(placed.hostMemory) as never;
	}

	#bytes(pair: number, head: number, length: number): Uint8Array {
		const bytes = new Uint8Array(length);
		this.machine.memory.copyOut(placeOf(pair, head), bytes);
		return bytes;
	}
}
