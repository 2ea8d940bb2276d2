import {allOffloads, type Endpoint, type EndpointHost, Frame, type Nic} from '#devices/network/endpoint';
import {errorTable} from '#support/errors';
import {close, drainEventfd, errnoName, eventfd, signalEventfd} from '#support/ffi';
import type {Watch} from '#support/reactor';
import {f64, type ViewOf, wire} from '#support/wire';
import {AddressTables} from './address-tables.ts';
import {FrameRing, type Sender} from './frame-ring.ts';
import {mostPorts, PortState, portOf, ringOf, SwitchPort} from './switch-memory.ts';

const networkWord = SwitchPort.word('network');

/** What a port tells the machine's owner. */
export const SwitchCounters = wire('switch', {port: f64, connected: f64, lostHere: f64, lostThere: f64});

/** The same for inspect. */
export const portNodes = ({port, connected, lostHere, lostThere}: ViewOf<typeof SwitchCounters>) => ({
	port,
	connected,
	lostHere,
	lostThere,
});

const switchError = errorTable({
	NETWORK_SWITCH_FULL: (c: {name: string}) => ({
		message: `The switch ${c.name} has no port left: ${mostPorts} are taken`,
		remedy: 'Give the NIC a switch of another name',
	}),
	NETWORK_SWITCH_TAKEN: (c: {name: string}) => ({
		message: `The switch ${c.name} has a network already`,
		remedy: `Join it by switch:${c.name}, or give this network a switch of another name: each clone needs its own`,
	}),
	/** `errno` is negated, as the FFI returns it. */
	NETWORK_SWITCH_UNUSABLE: (c: {name: string; errno: number}) => ({
		message: `There can be no port of the switch ${c.name}: ${errnoName(c.errno)}`,
		remedy: 'Let the process have more open files: ulimit -n',
	}),
});

/** Frames that a port takes out in one turn of its thread. */
const framesPerTurn = 64;

/** Where a NIC is plugged in, and how its guest is called. */
export interface SwitchPlace {
	readonly name: string;
	readonly guest?: string | undefined;
	/** It is the port of a network, of which a switch has one at most. */
	readonly isNetwork?: true;
}

/** A port of a switch, which a NIC is plugged in. */
export class SwitchEndpoint implements Endpoint {
	readonly takes = allOffloads;
	readonly #nic: Nic;
	readonly #port: number;
	/** This port, as long as it has it. */
	readonly #self: Sender;
	readonly #rings: readonly FrameRing[];
	readonly #addresses: AddressTables;
	/** The words where a network's port says that it is there. */
	readonly #network: Int32Array | undefined;
	readonly #counters: ViewOf<typeof SwitchCounters>;
	readonly #wakeFd: number;
	readonly #watch: Watch;
	readonly #scratch = new Uint8Array(8);
	readonly #received = new Frame();
	readonly #wake = (fd: number): void => void signalEventfd(fd);
	#isRunning = false;
	/** The guest has no room. */
	#isBlocked = false;

	/** @throws VmmError NETWORK_SWITCH_FULL, NETWORK_SWITCH_TAKEN, NETWORK_SWITCH_UNUSABLE */
	constructor({name, guest, isNetwork}: SwitchPlace, nic: Nic, {common, memory, offset, reactor}: EndpointHost) {
		const all = common as SharedArrayBuffer;
		this.#nic = nic;
		this.#rings = Array.from({length: mostPorts}, (_, port) => new FrameRing(portOf(all, port), ringOf(all, port)));
		this.#wakeFd = eventfd();
		if (this.#wakeFd < 0) throw switchError('NETWORK_SWITCH_UNUSABLE', {name, errno: this.#wakeFd});
		this.#port = this.#rings.findIndex((ring) => ring.claim(this.#wakeFd, guest));
		if (this.#port < 0) {
			close(this.#wakeFd);
			throw switchError('NETWORK_SWITCH_FULL', {name});
		}
		this.#self = {port: this.#port, epoch: this.#own.epoch};
		this.#network = isNetwork && portOf(all, 0).$atomic;
		if (this.#network !== undefined && Atomics.compareExchange(this.#network, networkWord, 0, this.#port + 1) !== 0) {
			this.#own.leave();
			close(this.#wakeFd);
			throw switchError('NETWORK_SWITCH_TAKEN', {name});
		}
		this.#addresses = new AddressTables(all, this.#port);
		this.#counters = SwitchCounters.on(memory, offset);
		this.#counters.port = this.#port + 1;
		this.#watch = reactor.watch(this.#wakeFd, {readable: true, writable: false}, () => this.#receive());
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		this.#own.run(true);
	}

	send(frame: Frame): boolean {
		if (!this.offer(frame)) this.#counters.lostThere++;
		return true;
	}

	/** Whose frame the NIC is given now. */
	get from(): Sender {
		return this.#own.from;
	}

	/** Tells those apart who have had a port; undefined while nobody has it. */
	epochOf(port: number): number | undefined {
		const {state, epoch} = this.#rings[port] as FrameRing;
		return state === PortState.FREE ? undefined : epoch;
	}

	/** How the guest at a port is called; empty where nobody has said it. */
	nameOf(port: number): string {
		return (this.#rings[port] as FrameRing).name;
	}

	/** The same as {@link send}, but for a frame to one port that has no room: false, and it is not lost. */
	offer(frame: Frame): boolean {
		const {view} = frame;
		this.#addresses.learn(view);
		const to = this.#addresses.find(view);
		if (to === this.#port) return true;
		const ports = this.#connected;
		if (to !== undefined) return this.#put(to, frame, ports);
		for (let port = 0; port < mostPorts; port++)
			if (port !== this.#port && !this.#put(port, frame, ports)) this.#counters.lostThere++;
		return true;
	}

	room(): void {
		this.#isBlocked = false;
		this.#receive();
	}

	stop(): void {
		this.#isRunning = false;
		this.#own.run(false);
	}

	dispose(): void {
		this.#watch.close();
		this.#addresses.forget();
		if (this.#network !== undefined) Atomics.store(this.#network, networkWord, 0);
		this.#own.leave();
		close(this.#wakeFd);
	}

	get #own(): FrameRing {
		return this.#rings[this.#port] as FrameRing;
	}

	/** Ports that are running, this one among them. */
	get #connected(): number {
		let count = 0;
		for (let port = 0; port < mostPorts; port++) if (this.#rings[port]?.state === PortState.RUNNING) count++;
		this.#counters.connected = count;
		return count;
	}

	/** False where there is no room. */
	#put(port: number, frame: Frame, ports: number): boolean {
		const ring = this.#rings[port] as FrameRing;
		return ring.state !== PortState.RUNNING || ring.put(frame, this.#self, ports, this.#wake) !== 'lost';
	}

	/** Gives the guest frames, as long as it has room. What is left wakes this again. */
	#receive(): void {
		if (!this.#isRunning || this.#isBlocked) {
			drainEventfd(this.#wakeFd, this.#scratch);
			return;
		}
		drainEventfd(this.#wakeFd, this.#scratch);
		for (let count = 0; this.#own.peek(this.#received); count++) {
			if (count === framesPerTurn) {
				signalEventfd(this.#wakeFd);
				break;
			}
			if (!this.#nic.receive(this.#received)) {
				this.#isBlocked = true;
				break;
			}
			this.#own.take();
		}
		this.#counters.lostHere = this.#own.lost;
	}
}
