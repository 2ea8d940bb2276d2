import type {EndpointHost, Frame, Nic} from '#devices/network/endpoint';
import {SwitchEndpoint} from '#devices/network/switch';
import type {Timer} from '#support/reactor';
import {isGroupMac} from './packets/index.ts';
import type {UserNetwork, UserNetworkEndpoint} from './user-network.ts';

/** How often a port that has no room is tried again, and how often those that have gone are looked for. */
const [roomEveryMs, lookEveryMs] = [2, 1000];
const macLength = 6;

/** A NIC of the switch, as a guest of the network. */
interface Neighbor {
	readonly epoch: number;
	readonly mac: Uint8Array;
	readonly guest: UserNetworkEndpoint;
}

/**
 * A network's port of a switch: the NICs there, of any machine and thread, are its guests too, each by the port that it sends from, whatever
 * addresses it says. What they have for each other the switch passes on by itself.
 */
export class SwitchUplink {
	readonly #network: UserNetwork;
	readonly #port: SwitchEndpoint;
	readonly #mtu: number;
	/** By port. */
	readonly #neighbors = new Map<number, Neighbor>();
	#isRunning = false;
	#retrying: Timer | undefined;
	#looking: Timer | undefined;

	/**
	 * @param name - the switch's
	 * @param mtu - of the NICs there
	 * @param host - with the switch's memory
	 * @throws VmmError NETWORK_SWITCH_FULL, NETWORK_SWITCH_TAKEN, NETWORK_SWITCH_UNUSABLE
	 */
	constructor(network: UserNetwork, name: string, mtu: number, host: EndpointHost) {
		this.#network = network;
		this.#mtu = mtu;
		const own: Nic = {
			mac: network.plan.mac,
			mtu,
			pairs: 1,
			receive: (frame) => this.#isRunning && this.#received(frame),
			room() {},
			carrier() {},
		};
		this.#port = new SwitchEndpoint({name, isNetwork: true}, own, host);
	}

	start(): void {
		this.#isRunning = true;
		this.#port.start();
		for (const {guest} of this.#neighbors.values()) guest.start();
		this.#look();
	}

	stop(): void {
		this.#isRunning = false;
		this.#port.stop();
		for (const {guest} of this.#neighbors.values()) void guest.stop();
		this.#rest();
	}

	dispose(): void {
		this.#rest();
		for (const {guest} of this.#neighbors.values()) void guest.dispose();
		this.#neighbors.clear();
		this.#port.dispose();
	}

	#received(frame: Frame): boolean {
		const {port, epoch} = this.#port.from;
		// Whoever has sent it has gone: it is not to be taken for what somebody else wants who has come to that port.
		if (this.#port.epochOf(port) !== epoch) return true;
		let neighbor = this.#neighbors.get(port);
		if (neighbor !== undefined && neighbor.epoch !== epoch) neighbor = this.#gone(port, neighbor);
		neighbor ??= this.#join(port, epoch, frame);
		if (neighbor === undefined) return true;
		const from = frame.bytes.subarray(macLength, 2 * macLength);
		if (!isGroupMac(from)) neighbor.mac.set(from);
		return neighbor.guest.send(frame);
	}

	/** Undefined where the network has no address left: whoever it is goes without. */
	#join(port: number, epoch: number, frame: Frame): Neighbor | undefined {
		const name = this.#port.nameOf(port);
		const mac = frame.bytes.slice(macLength, 2 * macLength);
		const receive = (given: Frame) => this.#give(given);
		const nic: Nic = {mac, mtu: this.#mtu, pairs: 1, receive, room() {}, carrier() {}};
		const guest = this.#network.join(nic, {segment: this, ...(name !== '' && {name})});
		if (guest === undefined) return undefined;
		const neighbor = {epoch, mac, guest};
		this.#neighbors.set(port, neighbor);
		guest.start();
		return neighbor;
	}

	/** Puts a frame on the switch; where its port has no room it is tried again soon, since nobody says when there is. */
	#give(frame: Frame): boolean {
		if (!this.#isRunning) return false;
		if (this.#port.offer(frame)) return true;
		this.#retrying ??= this.#network.clock.after(roomEveryMs, () => {
			this.#retrying = undefined;
			for (const {guest} of this.#neighbors.values()) guest.room();
		});
		return false;
	}

	/** A guest that has gone leaves its connections, and its address to others. */
	#look(): void {
		this.#looking = this.#network.clock.after(lookEveryMs, () => {
			for (const [port, neighbor] of this.#neighbors)
				if (this.#port.epochOf(port) !== neighbor.epoch) this.#gone(port, neighbor);
			this.#look();
		});
	}

	#gone(port: number, {guest}: Neighbor): undefined {
		this.#neighbors.delete(port);
		void guest.dispose();
	}

	#rest(): void {
		this.#retrying?.cancel();
		this.#looking?.cancel();
		this.#retrying = this.#looking = undefined;
	}
}
