import {bytes, packed, u8, u16, u32} from '#support/wire';
import type {Path} from '../ip/index.ts';
import {TcpFlag} from '../packets/index.ts';
import type {Outgoing} from './transmit.ts';

/** A connection that a guest may go on with where there is none, as a snapshot has it: what ends it. */
const Remembered = packed('user_network_connection', {
	/** 4 or 6. */
	family: u8,
	reserved: u8,
	sourcePort: u16,
	port: u16,
	mac: bytes(6),
	sequence: u32,
	acknowledgment: u32,
	/** Those of IPv4 have four bytes. */
	source: bytes(16),
	destination: bytes(16),
}).sized(52);

/** Resets as a snapshot has them, as many as fit into so many bytes. */
export function encodeResets(resets: Iterable<Outgoing>, most: number): Uint8Array {
	const all: Uint8Array[] = [];
	for (const {path, sourcePort, port, sequence, acknowledgment} of resets) {
		if ((all.length + 1) * Remembered.size > most) break;
		const record = Remembered.encode({family: path.family, sourcePort, port, sequence, acknowledgment});
		record.set(path.toMac, Remembered.offset('mac'));
		record.set(path.source, Remembered.offset('source'));
		record.set(path.destination, Remembered.offset('destination'));
		all.push(record);
	}
	return Buffer.concat(all);
}

/** Reads them; the bytes may be anybody's. @param fromMac - the network's address */
export function decodeResets(saved: Uint8Array, fromMac: Uint8Array): readonly Outgoing[] {
	const found: Outgoing[] = [];
	for (let at = 0; at + Remembered.size <= saved.length; at += Remembered.size) {
		const record = saved.subarray(at, at + Remembered.size);
		const {family, sourcePort, port, sequence, acknowledgment} = Remembered.read(record);
		if (family !== 4 && family !== 6) break;
		const field = (name: 'mac' | 'source' | 'destination', length: number) =>
			record.slice(Remembered.offset(name), Remembered.offset(name) + length);
		const [source, destination] = (['source', 'destination'] as const).map((name) =>
			field(name, family === 4 ? 4 : 16),
		);
		const path = {family, fromMac, toMac: field('mac', 6), source, destination} as Path;
		const flags = TcpFlag.RST | TcpFlag.ACK;
		found.push({path, sourcePort, port, sequence, acknowledgment, flags, window: 0, options: new Uint8Array()});
	}
	return found;
}
