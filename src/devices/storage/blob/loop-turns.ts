import {MessageChannel} from 'node:worker_threads';
import type {Reactor} from '#support/reactor';

/** What is new for Node's loop, such as a socket or a timer of its own, waits for its next turn: so long at most. */
const turnNs = 5e6;

/**
 * Has Node's loop take turns on a thread that is a reactor's, while something is under way that goes by the loop's timers and immediates:
 * a reactor gives it turns only for descriptors that it waits for already.
 */
export class LoopTurns {
	readonly #reactor: Pick<Reactor, 'after'>;
	readonly #channel = new MessageChannel();
	#users = 0;
	#isArmed = false;

	constructor(reactor: Pick<Reactor, 'after'>) {
		this.#reactor = reactor;
		// A message is what a loop wakes for.
		this.#channel.port2.on('message', () => {});
		this.#channel.port2.unref();
	}

	/** Does something that goes by Node's loop. */
	async during<T>(work: () => Promise<T>): Promise<T> {
		this.#users++;
		this.#turn();
		try {
			return await work();
		} finally {
			this.#users--;
		}
	}

	close(): void {
		this.#channel.port1.close();
	}

	#turn(): void {
		if (this.#isArmed) return;
		this.#isArmed = true;
		this.#channel.port1.postMessage(0);
		this.#reactor.after(turnNs, () => {
			this.#isArmed = false;
			if (this.#users > 0) this.#turn();
		});
	}
}
