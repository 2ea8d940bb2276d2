import {isIP} from 'node:net';
import dnsPacket from 'dns-packet';

/** A DNS header (RFC 1035, 4.1.1). */
const headerBytes = 12;
/** Labels of a name (RFC 1035, 2.3.4: 255 bytes in all). */
const mostLabels = 127;

/** Numbers of types that are looked into (RFC 1035, 3.2.2; RFC 3596, 2.1). */
export const RecordType = {A: 1, PTR: 12, AAAA: 28} as const;
/** Answers without records (RFC 1035, 4.1.1). */
export const Rcode = {FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5} as const;

/** The one question of a query, as its bytes have it. */
export interface DnsQuestion {
	readonly id: number;
	/** In small letters, without the last dot. */
	readonly name: string;
	/** Every byte of the name is one that host names have: no dot hides in a label. */
	readonly isPlain: boolean;
	readonly type: number;
	/** The question's bytes, behind the header. */
	readonly bytes: Buffer;
}

const plainLabel = /^[a-z0-9_-]+$/;

/** Reads a query: a code of {@link Rcode} for one that cannot be answered, undefined for what nobody answers. */
export function readQuestion(message: Buffer): DnsQuestion | number | undefined {
	if (message.length < headerBytes) return undefined;
	const flags = message.readUInt16BE(2);
	if (flags & 0x8000) return undefined;
	if ((flags >> 11) & 15) return Rcode.NOTIMP;
	if (message.readUInt16BE(4) !== 1) return Rcode.FORMERR;
	const labels: string[] = [];
	let at = headerBytes;
	for (;;) {
		const length = message[at];
		// A question has no compression: there is nothing before it to point to.
		if (length === undefined || length > 63 || at + length >= message.length || labels.length > mostLabels)
			return Rcode.FORMERR;
		at++;
		if (length === 0) break;
		labels.push(message.toString('latin1', at, at + length).toLowerCase());
		at += length;
	}
	if (at + 4 > message.length || at - headerBytes > 255) return Rcode.FORMERR;
	const isPlain = labels.length > 0 && labels.every((label) => plainLabel.test(label));
	const bytes = message.subarray(headerBytes, at + 4);
	return {id: message.readUInt16BE(0), name: labels.join('.'), isPlain, type: message.readUInt16BE(at), bytes};
}

/** An answer without records. */
export function emptyAnswer(query: Buffer, rcode: number, question?: DnsQuestion): Buffer {
	const header = Buffer.alloc(headerBytes);
	query.copy(header, 0, 0, 2);
	// A response, of the same operation and wish for recursion, which is available.
	header.writeUInt16BE(0x8080 | (query.readUInt16BE(2) & 0x7900) | rcode, 2);
	if (question === undefined) return header;
	header.writeUInt16BE(1, 4);
	return Buffer.concat([header, question.bytes]);
}

/** An answer with addresses, or with names for one. */
export function answerWith(query: Buffer, question: DnsQuestion, data: readonly string[], ttl: number): Buffer {
	const type = question.type === RecordType.A ? 'A' : question.type === RecordType.AAAA ? 'AAAA' : 'PTR';
	const records = data.map((each) =>
		dnsPacket.encode({answers: [{type, name: '.', ttl, data: each}]} as dnsPacket.Packet).subarray(headerBytes + 1),
	);
	const answer = emptyAnswer(query, 0, question);
	answer.writeUInt16BE(records.length, 6);
	// Each record's name is where the question's lies.
	return Buffer.concat([answer, ...records.flatMap((record) => [Buffer.from([0xc0, headerBytes]), record])]);
}

/** A query of our own for what a question asks: nothing else of what the guest has sent comes with it. */
export function queryFor(question: DnsQuestion, id: number): Buffer {
	const header = Buffer.alloc(headerBytes);
	header.writeUInt16BE(id, 0);
	header.writeUInt16BE(0x0100, 2);
	header.writeUInt16BE(1, 4);
	return Buffer.concat([header, question.bytes]);
}

/** True for a response to that very question. */
export const answersQuestion = (message: Buffer, question: DnsQuestion, id: number): boolean =>
	message.length >= headerBytes + question.bytes.length &&
	message.readUInt16BE(0) === id &&
	(message.readUInt16BE(2) & 0x8000) !== 0 &&
	message.subarray(headerBytes, headerBytes + question.bytes.length).equals(question.bytes);

export const isTruncated = (message: Buffer): boolean => (message.readUInt16BE(2) & 0x0200) !== 0;
export const rcodeOf = (message: Buffer): number => message.readUInt16BE(2) & 15;

/** Aliases that are followed from the name that was asked for. */
const mostAliases = 16;

/**
 * The addresses that a response has for the name that was asked for, by way of its aliases alone: what else it has is nobody's answer.
 * Undefined for what is no message.
 */
export function addressesIn(message: Buffer, question: DnsQuestion): readonly string[] | undefined {
	try {
		const type = question.type === RecordType.A ? 'A' : 'AAAA';
		const answers = dnsPacket.decode(message).answers ?? [];
		const ofName = (wanted: string) => answers.filter(({name}) => name.toLowerCase() === wanted);
		let name = question.name;
		for (let followed = 0; followed < mostAliases; followed++) {
			const records = ofName(name);
			// A record of a wrong length has something else.
			const addresses = records.flatMap((record) => (record.type === type && isIP(record.data) ? [record.data] : []));
			if (addresses.length > 0) return addresses;
			const alias = records.find((record) => record.type === 'CNAME');
			if (alias === undefined) return [];
			name = (alias as dnsPacket.StringAnswer).data.toLowerCase();
		}
		return [];
	} catch {
		return undefined;
	}
}
