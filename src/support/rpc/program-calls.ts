import type {MessagePort} from 'node:worker_threads';
import type {Reactor} from '#support/reactor';
import type {Answered, Asked, CallLimits, ProgramAnswer, ProgramCaller, ProgramHandle} from './program-object.ts';

const usualLimitMs = 30_000;
/** Calls of one device's that are under way, which its guest may have caused. */
const mostUnderWay = 1024;

/** Calls under way, by their numbers. */
type UnderWay = Map<number, (answer: ProgramAnswer) => void>;

/** A device worker's calls of the objects of one machine's program, by a channel of `ProgramObjects`. */
export class ProgramCalls {
	readonly #port: MessagePort;
	readonly #reactor: Pick<Reactor, 'after'>;
	/** Of each device that has called. */
	readonly #callers = new Set<UnderWay>();
	#next = 1;
	#isClosed = false;

	constructor(port: MessagePort, reactor: Pick<Reactor, 'after'>) {
		this.#port = port;
		this.#reactor = reactor;
		port.on('message', ({call, answer}: Answered) => {
			for (const underWay of this.#callers) underWay.get(call)?.(answer);
		});
		port.on('close', () => this.close());
		port.unref();
	}

	/** A way for one device, whose calls end with it. */
	caller(): ProgramCaller & {close(): void} {
		const underWay: UnderWay = new Map();
		let isOpen = true;
		return {
			call: async (object, method, argument, limits = {}) =>
				isOpen && !this.#isClosed ? this.#call(underWay, object, method, argument, limits) : {kind: 'gone'},
			close: () => {
				isOpen = false;
				this.#end(underWay);
			},
		};
	}

	/** The machine goes. Whoever waits hears so. */
	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		for (const underWay of this.#callers) this.#end(underWay);
		this.#port.close();
	}

	#end(underWay: UnderWay): void {
		this.#callers.delete(underWay);
		for (const [call, settle] of underWay) {
			this.#say({giveUp: call});
			settle({kind: 'gone'});
		}
	}

	#call(
		underWay: UnderWay,
		{programObject: object}: ProgramHandle,
		method: string,
		argument: unknown,
		{limitMs = usualLimitMs, signal}: CallLimits,
	): Promise<ProgramAnswer> | ProgramAnswer {
		if (signal?.aborted) return {kind: 'given-up'};
		if (underWay.size >= mostUnderWay)
			return {kind: 'failed', message: `${mostUnderWay} calls are under way`, code: 'EAGAIN'};
		this.#callers.add(underWay);
		const call = this.#next++;
		this.#say({call, object, method, argument});
		return new Promise<ProgramAnswer>((resolve) => {
			const giveUp = () => {
				this.#say({giveUp: call});
				settle({kind: 'given-up'});
			};
			const settle = (answer: ProgramAnswer) => {
				underWay.delete(call);
				timer.cancel();
				signal?.removeEventListener('abort', giveUp);
				resolve(answer);
			};
			const timer = this.#reactor.after(limitMs * 1e6, giveUp);
			signal?.addEventListener('abort', giveUp, {once: true});
			underWay.set(call, settle);
		});
	}

	#say(asked: Asked): void {
		this.#port.postMessage(asked);
	}
}
