import {ACK, FIN, type ParsedTcp, RST, SYN} from './frames.ts';
import type {TestGuest} from './test-guest.ts';

/** Options of a SYN as Linux sends them, without time stamps: MSS 1460, SACK, a window scale of 7. */
export const usualOptions = [2, 4, 0x05, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7];

/** A TCP client that does only what a test says. Sequence numbers begin where 32 bits end soon. */
export class TcpClient {
	readonly guest: TestGuest;
	readonly port: number;
	readonly address: string;
	readonly remotePort: number;
	sequence = 0xffff_fff0;
	/** What it expects next. */
	expected = 0;
	window = 512;
	#hasEnded = false;

	constructor(guest: TestGuest, address: string, remotePort: number, port = 40_000) {
		this.guest = guest;
		this.address = address;
		this.remotePort = remotePort;
		this.port = port;
	}

	segment(
		flags: number,
		fields: {
			sequence?: number;
			acknowledgment?: number;
			data?: Uint8Array | string;
			options?: readonly number[];
			window?: number;
		} = {},
	): void {
		const {sequence = this.sequence, acknowledgment = flags & ACK ? this.expected : 0, window = this.window} = fields;
		const ports = {sourcePort: this.port, port: this.remotePort};
		this.guest.tcp(this.address, {...ports, flags, ...fields, sequence, acknowledgment, window});
	}

	syn(options: readonly number[] = usualOptions): void {
		this.segment(SYN, {options, window: 65_535});
	}

	/** Connects; fails where it is refused. */
	async connect(options: readonly number[] = usualOptions): Promise<ParsedTcp> {
		this.syn(options);
		const answer = await this.next();
		if ((answer.flags & (SYN | ACK | RST)) !== (SYN | ACK)) throw new Error(`flags ${answer.flags} answer a SYN`);
		this.sequence = (this.sequence + 1) >>> 0;
		this.expected = (answer.sequence + 1) >>> 0;
		this.ack();
		return answer;
	}

	ack(fields: Parameters<TcpClient['segment']>[1] = {}): void {
		this.segment(ACK, fields);
	}

	send(data: Uint8Array | string, flags = ACK): void {
		this.segment(flags, {data});
		this.sequence = (this.sequence + Buffer.byteLength(data as string) + (flags & FIN ? 1 : 0)) >>> 0;
	}

	next(wanted?: (tcp: ParsedTcp) => boolean): Promise<ParsedTcp> {
		return this.guest.nextTcp(this.port, wanted);
	}

	/** Takes and acknowledges data until there are so many bytes of it. */
	async take(length: number): Promise<Buffer> {
		const parts: Buffer[] = [];
		for (let have = 0; have < length; ) {
			const {data, sequence, flags} = await this.next((tcp) => tcp.data.length > 0);
			const known = (this.expected - sequence) | 0;
			if (known < 0 || known >= data.length) continue;
			this.#hasEnded ||= (flags & FIN) !== 0;
			parts.push(data.subarray(known));
			have += data.length - known;
			this.expected = (this.expected + data.length - known) >>> 0;
			this.ack();
		}
		return Buffer.concat(parts);
	}

	/** Waits for the other side's end, which may have come with data, and acknowledges it. */
	async end(): Promise<void> {
		if (!this.#hasEnded) await this.next((tcp) => (tcp.flags & FIN) !== 0);
		this.expected = (this.expected + 1) >>> 0;
		this.ack();
	}
}
