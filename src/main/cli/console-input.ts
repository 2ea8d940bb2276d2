import {setTimeout as sleep} from 'node:timers/promises';
import type {Vm} from '#main/vm';

/** The key that opens the console: Ctrl-Q. */
export const consoleKey = 0x11;

/** Typed bytes that may wait for a guest that does not read. More is refused. */
const typedLimit = 4096;

/** Pauses between offers to a guest that takes nothing, in milliseconds: soon at first, then seldom. */
const retryMs = {first: 1, last: 50};

/** Carries bytes to the machine's console port in order, and keeps what it does not take yet. */
export class ConsoleInput {
	readonly #machine: Pick<Vm, 'feedConsole'>;
	#pending: Uint8Array = new Uint8Array();
	#carrying: Promise<void> | undefined;

	constructor(machine: Pick<Vm, 'feedConsole'>) {
		this.#machine = machine;
	}

	/** Bytes that wait for the guest. */
	get pendingBytes(): number {
		return this.#pending.length;
	}

	/** Takes all of `bytes`; resolves when the guest has them, which is when the source may go on. */
	send(bytes: Uint8Array): Promise<void> {
		this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
		this.#carrying ??= this.#carry().finally(() => {
			this.#carrying = undefined;
		});
		return this.#carrying;
	}

	/**
	 * Takes what fits of bytes from a source that cannot wait: a keyboard, whose Ctrl-Q must be seen even when
	 * the guest reads nothing. False when some were refused.
	 */
	type(bytes: Uint8Array): boolean {
		const room = Math.max(0, typedLimit - this.#pending.length);
		if (room > 0 && bytes.length > 0) void this.send(bytes.subarray(0, room));
		return bytes.length <= room;
	}

	async #carry(): Promise<void> {
		let pauseMs = retryMs.first;
		while (this.#pending.length > 0) {
			const taken = await this.#machine.feedConsole(this.#pending);
			this.#pending = this.#pending.subarray(taken);
			if (taken > 0) pauseMs = retryMs.first;
			else {
				await sleep(pauseMs);
				pauseMs = Math.min(pauseMs * 2, retryMs.last);
			}
		}
	}
}
