/** Packets of the GDB remote serial protocol (GDB manual, appendix E.1): `$data#checksum`, acknowledged by `+` or `-`. */

/** Most bytes of a packet's data; told to the client as PacketSize. */
export const maxPacketBytes = 0x4000;

/** Part of what a client has sent. Data is text with one character per byte, escapes undone. */
export type ClientEvent =
	| {readonly kind: 'packet'; readonly data: string}
	/** The checksum is not that of the data. */
	| {readonly kind: 'damaged'}
	| {readonly kind: 'ack'}
	| {readonly kind: 'resend'}
	/** Ctrl-C. */
	| {readonly kind: 'interrupt'}
	/** A packet beyond {@link maxPacketBytes}: this client does not keep to the protocol. */
	| {readonly kind: 'too long'};

const start = 0x24;
const end = 0x23;
const escapeByte = 0x7d;
const between: Readonly<Record<number, ClientEvent>> = {
	43: {kind: 'ack'},
	45: {kind: 'resend'},
	3: {kind: 'interrupt'},
};

const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => (total + byte) & 0xff, 0);

/** Makes events of a client's bytes, however they are cut. Keeps at most one packet. */
export class PacketReader {
	#data: number[] | undefined;
	/** Digits of the checksum seen so far, once the data is over. */
	#checksum: string | undefined;

	/** Takes bytes in; returns the events that they complete. Drops bytes that belong to none. */
	push(chunk: Uint8Array): ClientEvent[] {
		const events: ClientEvent[] = [];
		for (const byte of chunk) {
			const event = this.#take(byte);
			if (event !== undefined) events.push(event);
		}
		return events;
	}

	#take(byte: number): ClientEvent | undefined {
		if (this.#checksum !== undefined) return this.#takeChecksum(byte);
		// Data never holds a bare start: what came before it has been broken off.
		if (byte === start) this.#data = [];
		else if (this.#data === undefined) return between[byte];
		else if (byte === end) this.#checksum = '';
		else {
			this.#data.push(byte);
			if (this.#data.length > maxPacketBytes) return this.#finish({kind: 'too long'});
		}
		return undefined;
	}

	#takeChecksum(byte: number): ClientEvent | undefined {
		this.#checksum += String.fromCharCode(byte);
		if (this.#checksum?.length !== 2) return undefined;
		const data = Uint8Array.from(this.#data ?? []);
		const isRight = /^[0-9a-fA-F]{2}$/.test(this.#checksum) && Number.parseInt(this.#checksum, 16) === sum(data);
		return this.#finish(isRight ? {kind: 'packet', data: withoutEscapes(data)} : {kind: 'damaged'});
	}

	#finish(event: ClientEvent): ClientEvent {
		this.#data = undefined;
		this.#checksum = undefined;
		return event;
	}
}

function withoutEscapes(data: Uint8Array): string {
	const bytes: number[] = [];
	for (let at = 0; at < data.length; at++) {
		const byte = data[at] as number;
		bytes.push(byte === escapeByte ? ((data[++at] ?? 0) ^ 0x20) & 0xff : byte);
	}
	return Buffer.from(bytes).toString('latin1');
}

/** A packet of ours. @param data - one character per byte */
export function framePacket(data: string): Buffer {
	const escaped = data.replace(/[#$}*]/g, (byte) => `}${String.fromCharCode(byte.charCodeAt(0) ^ 0x20)}`);
	const bytes = Buffer.from(escaped, 'latin1');
	return Buffer.concat([Buffer.from('$'), bytes, Buffer.from(`#${sum(bytes).toString(16).padStart(2, '0')}`)]);
}
