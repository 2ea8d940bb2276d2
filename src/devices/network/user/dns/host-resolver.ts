import {randomInt} from 'node:crypto';
import {createSocket} from 'node:dgram';
import {connect, isIP, isIPv6} from 'node:net';
import type {Clock} from '../clock.ts';
import type {Descriptors} from '../descriptors.ts';
import {answersQuestion, type DnsQuestion, isTruncated, queryFor} from './message.ts';

/** How long one server has for an answer, and how often all are asked (resolv.conf(5), timeout and attempts), in milliseconds. */
const [patienceMs, attempts] = [3000, 2];
/** Servers that are asked (resolv.conf(5), MAXNS). */
const mostServers = 3;

interface Server {
	readonly address: string;
	readonly port: number;
}

/** Reads a resolver as `dns.getServers()` gives it: `1.1.1.1`, `1.1.1.1:53`, `::1`, `[::1]:53`. Undefined for what is none. */
export function parseServer(text: string): Server | undefined {
	const [, bracketed, plain, digits] = /^(?:\[(.*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
	const address = isIPv6(text) ? text : (bracketed ?? plain ?? '');
	const port = Number(digits ?? 53);
	const isRight = bracketed === undefined ? isIP(address) !== 0 : isIPv6(address);
	return isRight && port > 0 && port < 65_536 ? {address, port} : undefined;
}

/** The host's resolvers, asked with sockets of our own, so that any type of question can be asked. */
export class HostResolver {
	readonly #clock: Clock;
	readonly #descriptors: Descriptors;
	readonly #servers: () => readonly string[];

	/** @param servers - asked for each question */
	constructor(clock: Clock, descriptors: Descriptors, servers: () => readonly string[]) {
		this.#clock = clock;
		this.#descriptors = descriptors;
		this.#servers = servers;
	}

	/** Asks one server after the other. Undefined where none answers. Over UDP an answer may be cut short. */
	async ask(question: DnsQuestion, isTcp: boolean): Promise<Buffer | undefined> {
		const servers = this.#servers()
			.slice(0, mostServers)
			.flatMap((text) => parseServer(text) ?? []);
		for (let attempt = 0; attempt < attempts; attempt++) {
			for (const server of servers) {
				if (!this.#descriptors.take()) return undefined;
				const answer = await (isTcp ? this.#overTcp(server, question) : this.#overUdp(server, question));
				if (answer !== undefined) return answer;
			}
		}
		return undefined;
	}

	/** Asks again over TCP what was cut short. */
	async askWhole(question: DnsQuestion): Promise<Buffer | undefined> {
		const answer = await this.ask(question, false);
		return answer !== undefined && isTruncated(answer) ? ((await this.ask(question, true)) ?? answer) : answer;
	}

	#overUdp({address, port}: Server, question: DnsQuestion): Promise<Buffer | undefined> {
		// A port of the kernel's choice and a number of ours are to be guessed by whoever would answer in the server's place.
		const id = randomInt(0x1_0000);
		const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
		return new Promise((resolve) => {
			let isDone = false;
			const done = (answer?: Buffer) => {
				if (isDone) return;
				isDone = true;
				timer.cancel();
				socket.close();
				this.#clock.began();
				resolve(answer);
			};
			const timer = this.#clock.after(patienceMs, () => done());
			socket.on('error', () => done());
			socket.on('message', (message) => answersQuestion(message, question, id) && done(message));
			socket.connect(port, address, () => isDone || socket.send(queryFor(question, id)));
			this.#clock.began();
		});
	}

	#overTcp({address, port}: Server, question: DnsQuestion): Promise<Buffer | undefined> {
		const id = randomInt(0x1_0000);
		const query = queryFor(question, id);
		const socket = connect({host: address, port});
		let received = Buffer.alloc(0);
		return new Promise((resolve) => {
			const done = (answer?: Buffer) => {
				timer.cancel();
				socket.destroy();
				this.#clock.began();
				resolve(answer);
			};
			const timer = this.#clock.after(patienceMs, () => done());
			socket.on('error', () => done());
			socket.once('close', () => done());
			socket.on('data', (chunk) => {
				received = Buffer.concat([received, chunk]);
				if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
				const message = received.subarray(2, 2 + received.readUInt16BE(0));
				done(answersQuestion(message, question, id) ? message : undefined);
			});
			socket.write(Buffer.concat([Buffer.from([query.length >> 8, query.length & 0xff]), query]));
			this.#clock.began();
		});
	}
}
