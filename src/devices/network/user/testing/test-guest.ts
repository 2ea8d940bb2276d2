import {Frame, type Nic, Segmentation} from '#devices/network/endpoint';
import type {UserNetwork, UserNetworkEndpoint} from '../user-network.ts';
import {type IpFields, mac, onesSum, type Parsed, parse, type TcpFields, tcpFrame, udpFrame} from './frames.ts';

export const gatewayMac = '52:55:0a:00:00:01';

/** A guest that a test plays, frame by frame. */
export class TestGuest implements Nic {
	readonly mac: Uint8Array;
	readonly mtu: number;
	readonly pairs = 1;
	/** What it has been given and has not looked at. */
	readonly frames: Parsed[] = [];
	/** Longest frame, and pieces that the NIC was left to cut. */
	longest = 0;
	segmentBytes = 0;
	/** It has room for frames. */
	hasRoom = true;
	endpoint!: UserNetworkEndpoint;
	readonly #waiting: {readonly wanted: (frame: Parsed) => boolean; readonly found: (frame: Parsed) => void}[] = [];
	readonly #frame = new Frame();

	constructor(
		network: UserNetwork,
		{name, number = 1, mtu = 1500}: {name?: string; number?: number; mtu?: number} = {},
	) {
		this.mac = Uint8Array.from(mac(`00:15:5d:00:00:0${number}`));
		this.mtu = mtu;
		const endpoint = network.join(this, {name});
		if (endpoint === undefined) throw new Error('the network is full');
		this.endpoint = endpoint;
		endpoint.start();
	}

	/** Does what a NIC does to a frame for a guest whose driver does nothing, but for the cutting. */
	receive(frame: Frame): boolean {
		if (!this.hasRoom) return false;
		const bytes = frame.bytes.slice(0, frame.length);
		this.longest = Math.max(this.longest, frame.length);
		if (frame.needsChecksum) {
			const {checksumStart: start, checksumOffset: offset} = frame;
			const sum = 0xffff - onesSum(bytes.subarray(start));
			bytes.set([sum >> 8, sum & 255], start + offset);
		}
		if (frame.segmentation !== Segmentation.NONE) this.segmentBytes = frame.segmentBytes;
		else if (frame.length > this.mtu + 14) throw new Error(`${frame.length} bytes in one frame that nobody cuts`);
		// A NIC may change what it is given.
		frame.bytes.fill(0xa5, 0, frame.length);
		this.#got(parse(bytes));
		return true;
	}

	room(): void {}

	carrier(): void {}

	/** Sends bytes as a plain frame, or as one that something is left to be done to. */
	send(bytes: Uint8Array, rest: Partial<Frame> = {}): void {
		this.#frame.become(bytes.length);
		this.#frame.bytes.set(bytes);
		Object.assign(this.#frame, rest);
		this.endpoint.send(this.#frame);
		this.#frame.bytes.fill(0x5a);
	}

	/** Ends of a packet to an address behind the gateway. */
	to(
		destination: string,
		source = destination.includes(':') ? 'fd4f:7065:6e56:0:0:0:0:99' : this.endpoint.ipv4,
	): IpFields {
		return {fromMac: [...this.mac], toMac: mac(gatewayMac), source, destination};
	}

	tcp(destination: string, fields: TcpFields): void {
		this.send(tcpFrame(this.to(destination), fields));
	}

	udp(destination: string, sourcePort: number, port: number, data: Uint8Array | string): void {
		this.send(udpFrame(this.to(destination), sourcePort, port, data));
	}

	/** The next frame that is wanted: it, and those before it, are looked at. */
	next(wanted: (frame: Parsed) => boolean = () => true): Promise<Parsed> {
		const index = this.frames.findIndex(wanted);
		if (index >= 0) return Promise.resolve(this.frames.splice(0, index + 1).at(-1) as Parsed);
		return new Promise((found) => this.#waiting.push({wanted, found}));
	}

	/** The next TCP segment to a port of the guest's. */
	async nextTcp(port: number, wanted: (tcp: NonNullable<Parsed['tcp']>) => boolean = () => true) {
		const frame = await this.next(({tcp}) => tcp !== undefined && tcp.port === port && wanted(tcp));
		return frame.tcp as NonNullable<Parsed['tcp']>;
	}

	async nextUdp(port: number) {
		const frame = await this.next(({udp}) => udp?.port === port);
		return {...frame, ...(frame.udp as NonNullable<Parsed['udp']>)};
	}

	#got(frame: Parsed): void {
		const index = this.#waiting.findIndex(({wanted}) => wanted(frame));
		if (index < 0) {
			this.frames.push(frame);
			return;
		}
		for (const {found} of this.#waiting.splice(index, 1)) found(frame);
	}
}
