import {randomBytes} from 'node:crypto';
import {setTimeout as sleep} from 'node:timers/promises';
import {GuestAgent} from '#main/agent';
import type {Vm, VmEnd} from '#main/vm';
import {type OperationSignal, untilAborted} from '#support/abort';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {errnoOf} from '#support/ffi';
import {apiError} from './errors.ts';
import type {ReachAgent} from './reach-agent.ts';

/** Waits between attempts: a guest that boots takes seconds, one that goes on from a snapshot milliseconds. */
const [firstWaitMs, longestWaitMs] = [5, 100];
/** How long the first connection has until the agent greets, and the next ones twice as long each: the guest may have lost one without a word, as it goes on from a snapshot. */
const [firstGreetingMs, longestGreetingMs] = [10_000, 120_000];
/** Errors of a guest that is not yet, or no longer, there to answer; of a machine that ends, its socket goes first. */
const passing: readonly VmmErrorCode[] = ['VM_VSOCK_REFUSED', 'VM_VSOCK_UNREACHABLE', 'AGENT_CLOSED'];
const seedBytes = 256;

/** The guest of a {@link AgentLink}. */
export interface LinkedGuest {
	/** Of the machine. */
	readonly name: string;
	readonly reach: ReachAgent;
	/** What its console has shown. */
	readonly said: () => string;
	/** Gives the guest what it is to have before anybody uses it: called for each of its boots. @param before - the boot that had it last */
	readonly fill: (agent: GuestAgent, before: string | undefined) => Promise<void>;
	/** The boot of the guest that has it already, as one that goes on from where another was. */
	readonly filled: string | undefined;
}

/** A connection to the guest's agent, which is made anew when it is lost or the guest starts again. It ends with the machine. */
export class AgentLink {
	readonly #machine: Vm;
	readonly #guest: LinkedGuest;
	readonly #over = new AbortController();
	#current: Promise<GuestAgent>;
	#met: string | undefined;
	#filled: string | undefined;

	constructor(machine: Vm, guest: LinkedGuest) {
		this.#machine = machine;
		this.#guest = guest;
		this.#filled = guest.filled;
		void machine.ended.then((end) => this.#over.abort(this.#stopped(end)));
		this.#current = this.#connect(0);
	}

	/** The agent, as soon as there is a connection, and its guest has been filled. @throws VmmError VM_STOPPED_AGENT, AGENT_*; what the signal is aborted with */
	get(signal?: OperationSignal): Promise<GuestAgent> {
		return untilAborted(this.#current, signal);
	}

	/** Waits for what was begun in the guest. A machine that ends takes its connection along, and how it ended says more than that. @throws VmmError VM_STOPPED_AGENT */
	async done<T>(work: Promise<T>): Promise<T> {
		try {
			return await work;
		} catch (error) {
			// It has that state before any part of it goes, unless its owner has closed this.
			const isOver = this.#over.signal.aborted || this.#machine.state === 'stopped';
			if (!isVmmError(error, 'AGENT_CLOSED') || !isOver) throw error;
			throw this.#stopped(await this.#machine.ended);
		}
	}

	/** Why the latest attempt has failed, for a person; undefined where none has. */
	get met(): string | undefined {
		return this.#met;
	}

	/** The boot of the guest that has been filled. */
	get filled(): string | undefined {
		return this.#filled;
	}

	/** Tells the guest the time, and has its random numbers be its own, after it has gone on from where another one was. */
	async renew(): Promise<void> {
		for (;;) {
			const agent = await this.get();
			try {
				await Promise.all([agent.setClock(Date.now()), agent.reseed(randomBytes(seedBytes))]);
				return;
			} catch (error) {
				// The next connection is asked.
				if (!isVmmError(error, 'AGENT_CLOSED') || this.#over.signal.aborted) throw error;
				await agent.closed;
			}
		}
	}

	async #attempts(): Promise<GuestAgent> {
		const {signal} = this.#over;
		let greetingMs = firstGreetingMs;
		for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
			signal.throwIfAborted();
			const late = AbortSignal.timeout(greetingMs);
			const either = AbortSignal.any([signal, late]);
			try {
				const stream = await this.#guest.reach(this.#machine, either);
				// What other machines of the same snapshot run goes on in each of them.
				return await GuestAgent.connect(stream, {signal: either});
			} catch (error) {
				signal.throwIfAborted();
				this.#met = late.aborted ? 'its port is silent' : messageOf(error);
				if (late.aborted) greetingMs = Math.min(greetingMs * 2, longestGreetingMs);
				else if (!isPassing(error)) throw error;
			}
			await sleep(waitMs, undefined, {signal}).catch(() => {});
		}
	}

	/** @param afterMs - a guest that greets and goes, again and again, keeps nobody busy */
	#connect(afterMs: number): Promise<GuestAgent> {
		const connecting = this.#ready(afterMs);
		// Whoever wants it is told.
		connecting.catch(() => {});
		return connecting;
	}

	async #ready(afterMs: number): Promise<GuestAgent> {
		const {signal} = this.#over;
		for (let waitMs = afterMs; ; waitMs = longestWaitMs) {
			await sleep(waitMs, undefined, {signal}).catch(() => {});
			const agent = await this.#attempts();
			this.#endWith(agent);
			try {
				await untilAborted(this.#fill(agent), signal);
				this.#followUp(agent);
				return agent;
			} catch (error) {
				// It has gone meanwhile, and the next one is asked.
				if (isVmmError(error, 'AGENT_CLOSED') && !signal.aborted) continue;
				// Not before it starts again would it go better.
				this.#followUp(agent);
				throw error;
			}
		}
	}

	async #fill(agent: GuestAgent): Promise<void> {
		const {bootId} = agent.guest;
		if (bootId === this.#filled) return;
		await this.#guest.fill(agent, this.#filled);
		this.#filled = bootId;
	}

	/** The connection ends with the machine, and with the boot of its guest: what carries it may outlive that. */
	#endWith(agent: GuestAgent): void {
		const {signal} = this.#over;
		const end = () => agent.close();
		signal.addEventListener('abort', end, {once: true});
		if (signal.aborted) end();
		const deaf = this.#machine.listenToResets(() => agent.close('the guest starts again'));
		void agent.closed.then(() => {
			deaf();
			signal.removeEventListener('abort', end);
		});
	}

	#followUp(agent: GuestAgent): void {
		void agent.closed.then(() => {
			if (!this.#over.signal.aborted) this.#current = this.#connect(longestWaitMs);
		});
	}

	/** Ends the connection. */
	close(): void {
		this.#over.abort(this.#stopped(undefined));
	}

	#stopped(end: VmEnd | undefined): Error {
		const {name, said} = this.#guest;
		return apiError('VM_STOPPED_AGENT', {name, end, console: said()});
	}
}

/** Of a console's port it is the host's own error. */
const isPassing = (error: unknown): boolean =>
	isVmmError(error) ? passing.includes(error.code) : errnoOf(error) !== undefined;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
