import type {Reactor} from '#support/reactor';

/** What is new for Node's loop, such as a socket or a timer of its own, waits for its next turn: so long at most. */
const turnNs = 5e6;

/** What is wanted of a thread's reactor. */
export type BlobReactor = Pick<Reactor, 'after' | 'turnNode'>;

/**
 * Has Node's loop take turns on a thread that is a reactor's, while something is under way that goes by the loop's timers and immediates:
 * a reactor gives it turns only for descriptors that it waits for already.
 */
export class LoopTurns {
	readonly #reactor: BlobReactor;
	#users = 0;
	#isArmed = false;

	constructor(reactor: BlobReactor) {
		this.#reactor = reactor;
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

	#turn(): void {
		if (this.#isArmed) return;
		this.#isArmed = true;
		this.#reactor.turnNode();
		this.#reactor.after(turnNs, () => {
			this.#isArmed = false;
			if (this.#users > 0) this.#turn();
		});
	}
}
