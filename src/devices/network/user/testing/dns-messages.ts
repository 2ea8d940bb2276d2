import {once} from 'node:events';
import type {AddressInfo} from 'node:net';
import {createServer} from 'node:net';
import type {ExecutionContext} from 'ava';
import {be16, be32, ip} from './frames.ts';
import {udpServer} from './udp-server.ts';

export const A = 1;
export const CNAME = 5;
export const PTR = 12;
export const AAAA = 28;

/** A name without compression (RFC 1035, 3.1). */
export const nameBytes = (name: string): number[] => [
	...name.split('.').flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]),
	0,
];

/** A query with one question (RFC 1035, 4.1). */
export const query = (name: string, type = A, id = 0x4242): Buffer =>
	Buffer.from([...be16(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...nameBytes(name), ...be16(type), 0, 1]);

export interface TestRecord {
	readonly name: string;
	readonly type: number;
	readonly data: string;
}

/** What a resolver answers to a query: records, or a code. */
export function response(message: Buffer, records: readonly TestRecord[], rcode = 0): Buffer {
	const end = message.indexOf(0, 12) + 5;
	const data = ({type, data}: TestRecord) => (type === A || type === AAAA ? ip(data) : nameBytes(data));
	const answers = records.flatMap((record) => {
		const bytes = data(record);
		return [...nameBytes(record.name), ...be16(record.type), 0, 1, ...be32(300), ...be16(bytes.length), ...bytes];
	});
	const header = [...message.subarray(0, 2), 0x81, 0x80 | rcode, 0, 1, ...be16(records.length), 0, 0, 0, 0];
	return Buffer.from([...header, ...message.subarray(12, end), ...answers]);
}

/** The name of a query's question. */
export function questionName(message: Buffer): string {
	const labels: string[] = [];
	for (let at = 12; message[at] !== 0; at += 1 + (message[at] as number))
		labels.push(message.toString('latin1', at + 1, at + 1 + (message[at] as number)));
	return labels.join('.');
}

/** The type that a query asks for. */
export const questionType = (message: Buffer): number => message.readUInt16BE(message.indexOf(0, 12) + 1);

/** What a resolver answers over UDP that has more to say than fits (RFC 1035, 4.1.1). */
export function truncated(message: Buffer): Buffer {
	const short = response(message, []);
	short.writeUInt8(short.readUInt8(2) | 2, 2);
	return short;
}

/** A resolver of the host's, for UDP and TCP on one port: what it answers is the test's. */
export async function resolver(t: ExecutionContext, answer: (message: Buffer, isTcp: boolean) => Buffer | undefined) {
	const asked: string[] = [];
	const answered = (message: Buffer, isTcp: boolean) => {
		asked.push(`${isTcp ? 'tcp ' : ''}${questionName(message)}`);
		return answer(message, isTcp);
	};
	const udp = await udpServer(t, (message) => answered(message, false));
	const tcp = createServer((socket) => {
		socket.on('error', () => undefined);
		socket.on('data', (bytes) => {
			const reply = answered(bytes.subarray(2), true);
			if (reply !== undefined) socket.write(Buffer.from([...be16(reply.length), ...reply]));
		});
	});
	tcp.listen(udp.port, '127.0.0.1');
	await once(tcp, 'listening');
	t.teardown(() => tcp.close());
	const {port} = tcp.address() as AddressInfo;
	return {address: `127.0.0.1:${port}`, port, asked};
}

export const rcode = (message: Buffer): number => (message[3] as number) & 15;

/** Addresses in an answer whose records all point to the question. */
export function addresses(message: Buffer): string[] {
	const found: string[] = [];
	let at = message.indexOf(0, 12) + 5;
	for (let left = message.readUInt16BE(6); left > 0; left--) {
		at = message[at] === 0xc0 ? at + 2 : message.indexOf(0, at) + 1;
		const length = message.readUInt16BE(at + 8);
		const data = message.subarray(at + 10, at + 10 + length);
		if (length === 4) found.push(data.join('.'));
		if (length === 16) found.push(data.toString('hex'));
		at += 10 + length;
	}
	return found;
}
