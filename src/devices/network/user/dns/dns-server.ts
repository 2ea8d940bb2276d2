import {once} from 'node:events';
import type {Duplex} from 'node:stream';
import {addressBytes, addressText} from '../packets/index.ts';
import type {KnownNames, Policy} from '../policy/index.ts';
import type {HostResolver} from './host-resolver.ts';
import {
	addressesIn,
	answerWith,
	type DnsQuestion,
	emptyAnswer,
	Rcode,
	RecordType,
	rcodeOf,
	readQuestion,
} from './message.ts';

/** Who asks. */
export interface Asker {
	readonly name: string;
	readonly names: KnownNames;
	/** The guest's part of what the network has of something. */
	share(total: number): number;
}

/** Names of the network's own. */
export interface OwnNames {
	/** Addresses of both families of a name; undefined for one that is not the network's. */
	addressesOf(name: string): readonly string[] | undefined;
	/** The name of an address of the network. */
	nameOf(address: string): string | undefined;
}

/** Questions of one guest that are being answered, and of all of a network where a program decides. */
const [mostQuestions, mostOfNetwork] = [64, 256];
/** Addresses of one answer that are looked at: more than a name keeps, since some may be closed. */
const mostAddresses = 64;
/** How long a guest may keep what we have said ourselves, in seconds. */
const ownTtl = 60;
/** Most bytes of an answer over UDP for who has not said that it takes more (RFC 1035, 4.2.1). */
const mostUdpAnswer = 512;

/** The DNS server of a network: answers for the network's own names, and hands on what policy lets pass to the host's resolvers. */
export class DnsServer {
	readonly #policy: Policy;
	readonly #resolver: HostResolver;
	readonly #own: OwnNames;
	readonly #underWay = new Map<Asker, number>();

	constructor(policy: Policy, resolver: HostResolver, own: OwnNames) {
		this.#policy = policy;
		this.#resolver = resolver;
		this.#own = own;
	}

	/** Answers a query; undefined where there is to be no answer. */
	async answer(query: Buffer, asker: Asker, isTcp: boolean): Promise<Buffer | undefined> {
		const question = readQuestion(query);
		if (question === undefined) return undefined;
		if (typeof question === 'number') return emptyAnswer(query, question);
		const underWay = this.#underWay.get(asker) ?? 0;
		const most = this.#policy.asks ? Math.min(mostQuestions, asker.share(mostOfNetwork)) : mostQuestions;
		if (underWay >= most) return emptyAnswer(query, Rcode.SERVFAIL, question);
		this.#underWay.set(asker, underWay + 1);
		try {
			const answer = this.#ownAnswer(query, question) ?? (await this.#foreignAnswer(query, question, asker, isTcp));
			if (isTcp || answer.length <= mostUdpAnswer) return answer;
			const short = emptyAnswer(query, 0, question);
			short.writeUInt16BE(short.readUInt16BE(2) | 0x0200, 2);
			return short;
		} finally {
			const left = (this.#underWay.get(asker) ?? 1) - 1;
			if (left === 0) this.#underWay.delete(asker);
			else this.#underWay.set(asker, left);
		}
	}

	/** Answers the queries of a connection, one after the other, each behind its length (RFC 1035, 4.2.2). */
	async serve(stream: Duplex, asker: Asker): Promise<void> {
		let received = Buffer.alloc(0);
		for await (const chunk of stream) {
			received = Buffer.concat([received, chunk]);
			while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
				const length = received.readUInt16BE(0);
				const answer = await this.answer(received.subarray(2, 2 + length), asker, true);
				if (answer === undefined) {
					stream.destroy();
					return;
				}
				const message = Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]);
				// Who does not take its answers is not answered further.
				if (!stream.write(message)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
				if (stream.destroyed) return;
				received = received.subarray(2 + length);
			}
		}
		stream.end();
	}

	#ownAnswer(query: Buffer, question: DnsQuestion): Buffer | undefined {
		if (question.type === RecordType.PTR) {
			const address = addressOfPointer(question.name);
			const name = address === undefined ? undefined : this.#own.nameOf(address);
			return name === undefined ? undefined : answerWith(query, question, [name], ownTtl);
		}
		const addresses = this.#own.addressesOf(question.name);
		if (addresses === undefined) return undefined;
		const wanted = addresses.filter((address) => typeOf(address) === question.type);
		return answerWith(query, question, wanted, ownTtl);
	}

	async #foreignAnswer(query: Buffer, question: DnsQuestion, asker: Asker, isTcp: boolean): Promise<Buffer> {
		const {pinsNames} = this.#policy;
		const {name, type} = question;
		if (pinsNames && !question.isPlain) return emptyAnswer(query, Rcode.REFUSED, question);
		const kind = type === RecordType.A ? 'A' : type === RecordType.AAAA ? 'AAAA' : undefined;
		const pinned = kind === undefined ? undefined : asker.names.pinned(name, kind);
		if (pinned !== undefined) return answerWith(query, question, pinned, ownTtl);
		const attempt = {guest: asker.name, protocol: 'dns' as const, name, address: undefined, port: undefined};
		const verdict = await this.#policy.question(attempt);
		if (verdict.kind !== 'allow') return emptyAnswer(query, Rcode.REFUSED, question);
		const asked =
			pinsNames && kind !== undefined ? this.#resolver.askWhole(question) : this.#resolver.ask(question, isTcp);
		const answer = await asked;
		if (answer === undefined) return emptyAnswer(query, Rcode.SERVFAIL, question);
		query.copy(answer, 0, 0, 2);
		if (kind === undefined) return answer;
		const found = addressesIn(answer, question);
		if (found === undefined) return emptyAnswer(query, Rcode.SERVFAIL, question);
		const addresses = found.slice(0, mostAddresses).flatMap(plain);
		if (!pinsNames) {
			asker.names.learn(name, kind, addresses);
			return answer;
		}
		// A server that is out of order says nothing of the name.
		if (rcodeOf(answer) !== 0 && rcodeOf(answer) !== Rcode.NXDOMAIN)
			return emptyAnswer(query, rcodeOf(answer), question);
		return this.#pin(query, question, kind, asker, addresses);
	}

	/** Keeps what a name has, where there is something, and tells the guest of that alone. */
	#pin(query: Buffer, question: DnsQuestion, kind: 'A' | 'AAAA', asker: Asker, found: readonly string[]): Buffer {
		// Two questions for one name may have been under way: the first answer counts.
		const before = asker.names.pinned(question.name, kind);
		if (before !== undefined) return answerWith(query, question, before, ownTtl);
		const open = this.#policy.openAddresses(found);
		const closed = found.find((address) => !open.includes(address));
		if (closed !== undefined) {
			const attempt = {
				guest: asker.name,
				protocol: 'dns' as const,
				name: question.name,
				address: closed,
				port: undefined,
			};
			this.#policy.told(attempt, {kind: 'refuse', reason: 'the name leads to an address that is closed to names'});
		}
		if (open.length === 0)
			return found.length === 0 ? answerWith(query, question, [], ownTtl) : emptyAnswer(query, Rcode.REFUSED, question);
		if (!asker.names.learn(question.name, kind, open)) return emptyAnswer(query, Rcode.REFUSED, question);
		// Of others than it keeps the guest would be told in vain.
		return answerWith(query, question, asker.names.pinned(question.name, kind) ?? [], ownTtl);
	}
}

/** An address as all write it; none of what is no address. */
const plain = (text: string): readonly string[] => {
	const bytes = addressBytes(text);
	return bytes === undefined ? [] : [addressText(bytes)];
};

const typeOf = (address: string): number => (address.includes(':') ? RecordType.AAAA : RecordType.A);

/** The address whose name is asked for (RFC 1035, 3.5; RFC 3596, 2.5). */
function addressOfPointer(name: string): string | undefined {
	const [, v4] = /^(\d+\.\d+\.\d+\.\d+)\.in-addr\.arpa$/.exec(name) ?? [];
	if (v4 !== undefined) return v4.split('.').reverse().join('.');
	const [, v6] = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name) ?? [];
	if (v6 === undefined) return undefined;
	const digits = v6.split('.').reverse().join('');
	return addressText(Buffer.from(digits, 'hex'));
}
