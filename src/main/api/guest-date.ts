import type {Vm} from '#main/vm';
import {untilAborted} from '#support/abort';
import type {AgentLink} from './agent-link.ts';
import {SleepWatch} from './sleep-watch.ts';

/** Milliseconds that a guest has to take the time. */
const clockMs = 5000;
/** Milliseconds between two looks whether the host has slept. */
const lookMs = 2000;

/** Has the guest's date be its host's, which goes on while the guest stands still, whoever had it stand still, and while the host sleeps. */
export class GuestDate {
	readonly #link: Pick<AgentLink, 'get'>;
	readonly #end: () => void;
	#telling: Promise<void> | undefined;
	#isLate = false;

	constructor(
		machine: Pick<Vm, 'listenToResumes'>,
		link: Pick<AgentLink, 'get'>,
		sleep: Pick<SleepWatch, 'look'> = new SleepWatch(),
	) {
		this.#link = link;
		const deaf = machine.listenToResumes(() => this.#tell());
		const timer = setInterval(() => sleep.look() && this.#tell(), lookMs).unref();
		this.#end = () => {
			deaf();
			clearInterval(timer);
		};
	}

	/** Resolves when the guest has the time that it was to be told last, or has not taken it. */
	get told(): Promise<void> {
		return this.#telling ?? Promise.resolve();
	}

	close(): void {
		this.#end();
	}

	#tell(): void {
		this.#isLate = true;
		this.#telling ??= this.#tellAll().finally(() => {
			this.#telling = undefined;
		});
	}

	/** One at a time: a guest that goes on again and again, as under a debugger, has one question of ours at most. */
	async #tellAll(): Promise<void> {
		while (this.#isLate) {
			this.#isLate = false;
			const late = AbortSignal.timeout(clockMs);
			const told = this.#link.get().then((agent) => agent.setClock(Date.now(), {signal: late}));
			// A guest that does not take it has the wrong date, and keeps nobody.
			await untilAborted(told, late).catch(() => {});
		}
	}
}
