import type {ControlClient} from '#main/control';
import {terminalSize} from './guest-command.ts';

/** Tells a machine's console how large this process's terminal is: at once, and whenever that changes. */
export class ConsoleSize {
	readonly #client: ControlClient;
	#isTelling = false;
	#isTold = false;

	/** @param client - for this alone */
	constructor(client: ControlClient) {
		this.#client = client;
	}

	open(): void {
		process.stdout.on('resize', this.#changed);
		this.#changed();
	}

	close(): void {
		process.stdout.off('resize', this.#changed);
		this.#client.close();
	}

	readonly #changed = (): void => {
		this.#isTold = false;
		void this.#tell();
	};

	/** One call at a time, of which the last has the last size. */
	async #tell(): Promise<void> {
		if (this.#isTelling) return;
		this.#isTelling = true;
		while (!this.#isTold) {
			this.#isTold = true;
			// A machine that is over has no size, and a serial line cannot carry one.
			await this.#client.call('resize-console', {...terminalSize()}).catch(() => {});
		}
		this.#isTelling = false;
	}
}
