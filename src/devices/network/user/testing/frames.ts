/**
 * Frames as the RFCs lay them out, made and taken apart by the tests' own code: nothing here is what the network itself uses, so that
 * neither can hide a fault of the other's.
 */

/** The sum of RFC 1071, done the long way. */
export function onesSum(bytes: Uint8Array): number {
	let sum = 0;
	for (let i = 0; i < bytes.length; i += 2) {
		sum += (bytes[i] as number) * 256 + (bytes[i + 1] ?? 0);
		if (sum > 0xffff) sum -= 0xffff;
	}
	return sum;
}

export const be16 = (value: number): number[] => [(value >>> 8) & 255, value & 255];
export const be32 = (value: number): number[] => [...be16(value / 65_536), ...be16(value % 65_536)];
const from16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) * 256 + (bytes[at + 1] as number);
const from32 = (bytes: Uint8Array, at: number): number => from16(bytes, at) * 65_536 + from16(bytes, at + 2);

/** Bytes of an address as a test writes it; of IPv6 all eight groups, or one `::`. */
export function ip(text: string): number[] {
	if (!text.includes(':')) return text.split('.').map(Number);
	const [left = '', right] = text.split('::');
	const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
	const [before, after] = [groups(left), groups(right ?? '')];
	const zeros = new Array(right === undefined ? 0 : 8 - before.length - after.length).fill(0);
	return [...before, ...zeros, ...after].flatMap(be16);
}

export const mac = (text: string): number[] => text.split(':').map((part) => Number.parseInt(part, 16));

export interface EthernetEnds {
	readonly fromMac: number[];
	readonly toMac: number[];
}

export interface IpFields extends EthernetEnds {
	readonly source: string;
	readonly destination: string;
	readonly hops?: number;
	/** IPv4: identification, flags and offset, options. */
	readonly id?: number;
	readonly fragment?: number;
	readonly options?: readonly number[];
}

/** An Ethernet frame with an IP packet. */
export function ipFrame(protocol: number, payload: readonly number[], fields: IpFields): Uint8Array {
	const {fromMac, toMac, source, destination, hops = 64, id = 7, fragment = 0, options = []} = fields;
	if (source.includes(':')) {
		const header = [0x60, 0, 0, 0, ...be16(payload.length), protocol, hops, ...ip(source), ...ip(destination)];
		return Uint8Array.from([...toMac, ...fromMac, 0x86, 0xdd, ...header, ...payload]);
	}
	const length = 20 + options.length;
	const header = [
		...[0x40 | (length / 4), 0, ...be16(length + payload.length), ...be16(id), ...be16(fragment), hops, protocol, 0, 0],
		...ip(source),
		...ip(destination),
		...options,
	];
	const sum = 0xffff - onesSum(Uint8Array.from(header));
	header.splice(10, 2, ...be16(sum));
	return Uint8Array.from([...toMac, ...fromMac, 0x08, 0x00, ...header, ...payload]);
}

/** What a transport sums besides itself. */
const pseudo = (source: string, destination: string, protocol: number, length: number): number[] =>
	source.includes(':')
		? [...ip(source), ...ip(destination), ...be32(length), 0, 0, 0, protocol]
		: [...ip(source), ...ip(destination), 0, protocol, ...be16(length)];

function summed(payload: number[], at: number, head: readonly number[]): number[] {
	const sum = 0xffff - onesSum(Uint8Array.from([...head, ...(head.length % 2 ? [0] : []), ...payload]));
	payload.splice(at, 2, ...be16(sum));
	return payload;
}

export interface TcpFields {
	readonly sourcePort: number;
	readonly port: number;
	readonly sequence: number;
	readonly acknowledgment?: number;
	readonly flags: number;
	readonly window?: number;
	readonly options?: readonly number[];
	readonly data?: Uint8Array | string;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export function tcpFrame(fields: IpFields, tcp: TcpFields): Uint8Array {
	const {sourcePort, port, sequence, acknowledgment = 0, flags, window = 65_535, options = [], data = ''} = tcp;
	const segment = [
		...be16(sourcePort),
		...be16(port),
		...be32(sequence >>> 0),
		...be32(acknowledgment >>> 0),
		((20 + options.length) / 4) << 4,
		flags,
		...be16(window),
		...[0, 0, 0, 0],
		...options,
		...Buffer.from(data as string),
	];
	return ipFrame(6, summed(segment, 16, pseudo(fields.source, fields.destination, 6, segment.length)), fields);
}

export function udpFrame(fields: IpFields, sourcePort: number, port: number, data: Uint8Array | string): Uint8Array {
	return ipFrame(17, udpPayload(fields, sourcePort, port, data), fields);
}

/** A datagram with its header, as a packet carries it. */
export function udpPayload(fields: IpFields, sourcePort: number, port: number, data: Uint8Array | string): number[] {
	const bytes = Buffer.from(data as string);
	const datagram = [...be16(sourcePort), ...be16(port), ...be16(8 + bytes.length), 0, 0, ...bytes];
	return summed(datagram, 6, pseudo(fields.source, fields.destination, 17, datagram.length));
}

export function icmpFrame(fields: IpFields, type: number, code: number, rest: readonly number[]): Uint8Array {
	const isV6 = fields.source.includes(':');
	const message = [type, code, 0, 0, ...rest];
	const head = isV6 ? pseudo(fields.source, fields.destination, 58, message.length) : [];
	return ipFrame(isV6 ? 58 : 1, summed(message, 2, head), fields);
}

/** A frame taken apart. */
export interface Parsed {
	readonly toMac: string;
	readonly fromMac: string;
	readonly type: number;
	readonly source: string;
	readonly destination: string;
	readonly protocol: number;
	readonly hops: number;
	/** IPv4's flags and offset. */
	readonly fragment: number;
	/** What IP carries. */
	readonly payload: Buffer;
	readonly tcp?: ParsedTcp;
	readonly udp?: {readonly sourcePort: number; readonly port: number; readonly data: Buffer};
}

export interface ParsedTcp {
	readonly sourcePort: number;
	readonly port: number;
	readonly sequence: number;
	readonly acknowledgment: number;
	readonly flags: number;
	readonly window: number;
	readonly options: Buffer;
	readonly data: Buffer;
}

const macText = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
const ipText = (bytes: Uint8Array): string =>
	bytes.length === 4 ? bytes.join('.') : Array.from({length: 8}, (_, i) => from16(bytes, 2 * i).toString(16)).join(':');

/** Takes a frame apart. Throws where lengths or checksums are wrong: what the network sends is right. */
export function parse(bytes: Uint8Array): Parsed {
	const [toMac, fromMac] = [macText(bytes.subarray(0, 6)), macText(bytes.subarray(6, 12))];
	const type = from16(bytes, 12);
	const packet = bytes.subarray(14);
	if (type === 0x0800) {
		if (packet[0] !== 0x45 || from16(packet, 2) !== packet.length) throw new Error('wrong header of IPv4');
		if (onesSum(packet.subarray(0, 20)) !== 0xffff) throw new Error('wrong checksum of IPv4');
		const [source, destination] = [ipText(packet.subarray(12, 16)), ipText(packet.subarray(16, 20))];
		const common = {toMac, fromMac, type, source, destination, hops: packet[8] as number, fragment: from16(packet, 6)};
		return transport({...common, protocol: packet[9] as number, payload: Buffer.from(packet.subarray(20))});
	}
	if (type !== 0x86dd) {
		const none = {source: '', destination: '', protocol: -1, hops: 0, fragment: 0};
		return {toMac, fromMac, type, ...none, payload: Buffer.from(packet)};
	}
	if ((packet[0] as number) >> 4 !== 6 || from16(packet, 4) + 40 !== packet.length)
		throw new Error('wrong header of IPv6');
	const [source, destination] = [ipText(packet.subarray(8, 24)), ipText(packet.subarray(24, 40))];
	const common = {toMac, fromMac, type, source, destination, hops: packet[7] as number, fragment: 0};
	return transport({...common, protocol: packet[6] as number, payload: Buffer.from(packet.subarray(40))});
}

function transport(packet: Parsed): Parsed {
	const {protocol, payload, source, destination, fragment} = packet;
	if ((fragment & 0x3fff) !== 0 || protocol === 44) return packet;
	const head = protocol === 1 ? [] : pseudo(source, destination, protocol, payload.length);
	if ([1, 6, 17, 58].includes(protocol) && onesSum(Uint8Array.from([...head, ...payload])) !== 0xffff)
		throw new Error(`wrong checksum of protocol ${protocol}`);
	if (protocol === 17) {
		if (payload.readUInt16BE(4) !== payload.length) throw new Error('wrong length of UDP');
		const udp = {sourcePort: payload.readUInt16BE(0), port: payload.readUInt16BE(2), data: payload.subarray(8)};
		return {...packet, udp};
	}
	if (protocol !== 6) return packet;
	const header = ((payload[12] as number) >> 4) * 4;
	const tcp = {
		sourcePort: payload.readUInt16BE(0),
		port: payload.readUInt16BE(2),
		sequence: from32(payload, 4),
		acknowledgment: from32(payload, 8),
		flags: payload[13] as number,
		window: payload.readUInt16BE(14),
		options: payload.subarray(20, header),
		data: payload.subarray(header),
	};
	return {...packet, tcp};
}
