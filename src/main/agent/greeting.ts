import {Answer, BrokenRule, rule} from './answer.ts';
import {agentError} from './errors.ts';
import {limits, magic} from './protocol.ts';

/** What the agent says of its guest when it answers. */
export interface GuestFacts {
	/** Of the protocol. */
	readonly version: number;
	/** `Linux 6.1.0-37-cloud-amd64`. */
	readonly kernel: string;
	/** `x86_64` or `aarch64`. */
	readonly architecture: string;
	readonly hostname: string;
	/** The same until the guest boots anew. */
	readonly bootId: string;
	/** The agent is the guest's pid 1. */
	readonly isInit: boolean;
	readonly pid: number;
}

/** More than the buffers of a port hold of an earlier connection, in the guest and on the way. */
const mostBefore = 16 * 2 ** 20;

/** What the host says first. @param nonce - comes back in the answer, which is found by it */
export function makeGreeting(nonce: Uint8Array, flag: number): Buffer {
	const bytes = Buffer.alloc(limits.GREETING_SIZE);
	magic.copy(bytes);
	bytes.set(nonce, limits.MAGIC_SIZE);
	bytes.writeUInt16LE(limits.LOWEST_VERSION, 32);
	bytes.writeUInt16LE(limits.HIGHEST_VERSION, 34);
	bytes.writeUInt32LE(flag, 36);
	return bytes;
}

/** Looks for the agent's answer, behind what an earlier connection has left in a port. */
export class GreetingReader {
	readonly #wanted: Buffer;
	#kept = Buffer.alloc(0);
	#before = 0;

	constructor(nonce: Uint8Array) {
		this.#wanted = Buffer.concat([magic, nonce]);
	}

	/**
	 * Takes what has come.
	 * @returns the facts and what is behind them, or undefined while it is not all there
	 * @throws BrokenRule; VmmError AGENT_PROTOCOL_VERSION
	 */
	take(bytes: Buffer): {facts: GuestFacts; rest: Buffer} | undefined {
		const all = Buffer.concat([this.#kept, bytes]);
		const at = all.indexOf(this.#wanted);
		const start = at === -1 ? Math.max(0, all.length - this.#wanted.length + 1) : at;
		this.#before += start;
		rule(this.#before <= mostBefore, 'no answer to the greeting');
		this.#kept = Buffer.from(all.subarray(start));
		if (at === -1 || this.#kept.length < limits.GREETING_SIZE) return undefined;
		const [lowest, highest] = [this.#kept.readUInt16LE(32), this.#kept.readUInt16LE(34)];
		const version = Math.min(highest, limits.HIGHEST_VERSION);
		if (lowest > limits.HIGHEST_VERSION || highest < limits.LOWEST_VERSION) {
			const ours = `${limits.LOWEST_VERSION} to ${limits.HIGHEST_VERSION}`;
			throw agentError('AGENT_PROTOCOL_VERSION', {lowest, highest, ours});
		}
		const size = this.#kept.readUInt32LE(36);
		rule(size <= limits.MOST_FACTS, 'facts that are too long');
		const end = limits.GREETING_SIZE + size;
		if (this.#kept.length < end) return undefined;
		const facts = readFacts(this.#kept.subarray(limits.GREETING_SIZE, end), version);
		return {facts, rest: this.#kept.subarray(end)};
	}
}

function readFacts(bytes: Buffer, version: number): GuestFacts {
	const answer = new Answer(bytes);
	const [pid, init] = [answer.u32(), answer.u8()];
	const [kernel, architecture, hostname, bootId] = [1, 2, 3, 4].map(() => answer.text(answer.u16()));
	answer.end();
	if (kernel === undefined || architecture === undefined || hostname === undefined || bootId === undefined)
		throw new BrokenRule('facts that are too few');
	return {version, kernel, architecture, hostname, bootId, isInit: init === 1, pid};
}
