import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {type NetFeature, type NetServices, netFeatures, switchable} from './features.ts';
import {
	Answer,
	announceAcknowledged,
	ControlClass,
	MacCommand,
	NetStatus,
	ReceiveMode,
	setOffloads,
	setPairs,
	VlanCommand,
} from './layout.ts';
import {Mode, macLength, mostAddresses, type NetStateView} from './state.ts';

/** Longest request that is looked at whole: a table of addresses has a count before each of its two lists. */
const mostBytes = 2 + 2 * 4 + mostAddresses * macLength;

/** A control queue's parts. */
export interface ControlParts {
	readonly state: NetStateView;
	readonly services: NetServices;
	/** Pairs of queues that there are. */
	readonly pairs: number;
	/** The NIC's own address is another one. */
	addressChanged(mac: Uint8Array): void;
	/** Bits of the status in configuration space that are to be cleared. */
	acknowledged(bits: number): void;
}

/** Answers the requests of a driver to its control queue (virtio 1.2, 5.1.6.5). */
export class ControlQueue {
	readonly #parts: ControlParts;
	readonly #bytes = new Uint8Array(mostBytes);
	readonly #view = new DataView(this.#bytes.buffer);
	/** Bytes of the request, and those of them that have been read. */
	#length = 0;
	#chain: Chain | undefined;

	constructor(parts: ControlParts) {
		this.#parts = parts;
	}

	serve(queue: VirtQueue): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			this.#chain = chain;
			this.#length = Math.min(chain.readable, mostBytes);
			const isRead = this.#length >= 2 && chain.read(0, this.#bytes, 0, this.#length);
			const done = isRead && this.#execute();
			const answer = Uint8Array.of(done ? Answer.OK : Answer.ERROR);
			queue.complete(chain, chain.write(0, answer) ? 1 : 0);
		}
		this.#chain = undefined;
	}

	/** False for what it does not know, and what is not whole. */
	#execute(): boolean {
		const command = this.#view.getUint8(1);
		switch (this.#view.getUint8(0)) {
			case ControlClass.RECEIVE:
				return this.#locked(() => this.#setMode(command));
			case ControlClass.MAC:
				if (command === MacCommand.TABLE) return this.#locked(() => this.#setTable());
				return command === MacCommand.ADDRESS && this.#setAddress();
			case ControlClass.VLAN:
				return this.#locked(() => this.#setVlan(command));
			case ControlClass.ANNOUNCE:
				if (!this.#has('announce') || command !== announceAcknowledged) return false;
				this.#parts.acknowledged(NetStatus.ANNOUNCE);
				return true;
			case ControlClass.PAIRS:
				return command === setPairs && this.#locked(() => this.#setPairs());
			case ControlClass.OFFLOADS:
				return command === setOffloads && this.#locked(() => this.#setOffloads());
			default:
				return false;
		}
	}

	/** What the driver has said is in the device's state; what is in configuration space takes the lock itself. */
	#locked(change: () => boolean): boolean {
		return this.#parts.services.locked(change);
	}

	#has(feature: NetFeature): boolean {
		return this.#parts.services.has(feature);
	}

	/** True where so many bytes follow class and command. */
	#isOf(bytes: number): boolean {
		return (this.#chain?.readable ?? 0) >= 2 + bytes;
	}

	#setMode(command: number): boolean {
		const isMore = command > ReceiveMode.ALL_MULTICAST;
		if (!this.#has(isMore ? 'moreReceiveModes' : 'receiveModes')) return false;
		if (command > ReceiveMode.NO_BROADCAST || !this.#isOf(1)) return false;
		const {state} = this.#parts;
		const bit = 1 << command;
		const isSet = (this.#view.getUint8(2) !== 0) !== (bit === Mode.SELECTIVE);
		state.modes = isSet ? state.modes | bit : state.modes & ~bit;
		return true;
	}

	/** Two lists, each behind its count. Those that there is no room for have the driver get all of their kind. */
	#setTable(): boolean {
		if (!this.#has('receiveModes') || !this.#isOf(8)) return false;
		const {state} = this.#parts;
		const unicast = this.#view.getUint32(2, true);
		const after = 2 + 4 + unicast * macLength;
		const whole = this.#chain?.readable ?? 0;
		const count = new Uint8Array(4);
		if (after + 4 > whole || this.#chain?.read(after, count) !== true) return false;
		const multicast = new DataView(count.buffer).getUint32(0, true);
		if (after + 4 + multicast * macLength > whole) return false;
		const kept = unicast > mostAddresses ? 0 : unicast;
		const keptGroups = kept + multicast > mostAddresses ? 0 : multicast;
		const table = new Uint8Array((kept + keptGroups) * macLength);
		if (this.#chain.read(6, table, 0, kept * macLength) !== true) return false;
		if (this.#chain.read(after + 4, table, kept * macLength, keptGroups * macLength) !== true) return false;
		state.addresses.set(table);
		[state.unicast, state.multicast] = [kept, keptGroups];
		let modes = state.modes & ~(Mode.UNICAST_OVERFLOW | Mode.MULTICAST_OVERFLOW);
		if (kept < unicast) modes |= Mode.UNICAST_OVERFLOW;
		if (keptGroups < multicast) modes |= Mode.MULTICAST_OVERFLOW;
		state.modes = modes;
		return true;
	}

	#setAddress(): boolean {
		if (!this.#has('macAddress') || !this.#isOf(macLength)) return false;
		const mac = this.#bytes.slice(2, 2 + macLength);
		if (((mac[0] as number) & 1) !== 0) return false;
		this.#parts.addressChanged(mac);
		return true;
	}

	#setVlan(command: number): boolean {
		if (!this.#has('vlanFilter') || command > VlanCommand.DELETE || !this.#isOf(2)) return false;
		const vlan = this.#view.getUint16(2, true);
		const {vlans} = this.#parts.state;
		if (vlan >= 32 * vlans.length) return false;
		const [word, bit] = [vlans[vlan >>> 5] as number, 1 << (vlan & 31)];
		vlans[vlan >>> 5] = command === VlanCommand.ADD ? word | bit : word & ~bit;
		return true;
	}

	#setPairs(): boolean {
		if (!this.#has('pairs') || !this.#isOf(2)) return false;
		const pairs = this.#view.getUint16(2, true);
		if (pairs < 1 || pairs > this.#parts.pairs) return false;
		this.#parts.state.pairs = pairs;
		return true;
	}

	#setOffloads(): boolean {
		if (!this.#has('guestOffloads') || !this.#isOf(8)) return false;
		const wanted = [this.#view.getUint32(2, true), this.#view.getUint32(6, true)];
		const possible = [0, 0];
		for (const feature of switchable)
			if (this.#has(feature)) {
				const bit = netFeatures[feature];
				possible[bit >> 5] = (possible[bit >> 5] as number) | (1 << (bit & 31));
			}
		if (wanted.some((word, index) => (word & ~(possible[index] as number)) !== 0)) return false;
		const {state} = this.#parts;
		state.offloads.set(wanted);
		state.hasOffloads = 1;
		return true;
	}
}
