import {errorTable} from '#support/errors';
import {lock, unlock} from '#support/shared-memory';
import type {InterruptLine} from './interrupt-line.ts';
import type {MessageInterrupts} from './message-interrupts.ts';

/** An interrupt controller's inputs, as any thread can drive them. */
export interface InterruptController {
	/** Sets the level of input `gsi`. */
	setLine(gsi: number, asserted: boolean): void;
	/** Lowers and raises input `gsi`, which is high, in one step: see {@link InterruptLine.rise}. */
	rise(gsi: number): void;
	readonly messages: MessageInterrupts;
}

/** The inputs alone. */
export type InterruptInputs = Pick<InterruptController, 'setLine' | 'rise'>;

/** One wire from a device to an input. */
export interface LineSource {
	/** Index of the source in the machine. */
	readonly source: number;
	readonly gsi: number;
}

const lineError = errorTable({
	INTERRUPT_INPUT_HANGS: (c: {input: number}) => ({
		message: `Another thread does not come back from driving the interrupt input ${c.input}`,
		remedy: 'The device that the input leads to hangs, or calls back a device that has called it',
	}),
});

/** Words per input in the table: a lock, and how many sources assert it. */
const gsiWords = 2;

/** Bytes of the shared table for this many sources and inputs. */
export const interruptTableBytes = (sources: number, gsis: number): number => (sources + gsis * gsiWords) * 4;

/** Makes the lines of one thread over the machine's shared table of levels. */
export class InterruptLines {
	readonly #words: Int32Array;
	readonly #gsiBase: number;
	readonly #controller: InterruptInputs;

	constructor(table: SharedArrayBuffer, sources: number, controller: InterruptInputs) {
		this.#words = new Int32Array(table);
		this.#gsiBase = sources;
		this.#controller = controller;
	}

	/** True while any source asserts this input. */
	isAsserted(gsi: number): boolean {
		return Atomics.load(this.#words, this.#gsiBase + gsi * gsiWords + 1) !== 0;
	}

	/** The level of one source. */
	isRaised({source}: LineSource): boolean {
		return Atomics.load(this.#words, source) !== 0;
	}

	/** The line of one source. Sources of one input are combined by OR. */
	line({source, gsi}: LineSource): InterruptLine {
		const lockWord = this.#gsiBase + gsi * gsiWords;
		const locked = (drive: () => void) => {
			if (!lock(this.#words, lockWord)) throw lineError('INTERRUPT_INPUT_HANGS', {input: gsi});
			try {
				drive();
			} finally {
				unlock(this.#words, lockWord);
			}
		};
		const count = (asserted: boolean) => {
			const before = Atomics.add(this.#words, lockWord + 1, asserted ? 1 : -1);
			if (before === 0 || before + (asserted ? 1 : -1) === 0) this.#controller.setLine(gsi, asserted);
		};
		const [up, down] = [() => count(true), () => count(false)];
		const again = () => {
			// With a second source that asserts it the input does not fall.
			if (Atomics.load(this.#words, lockWord + 1) === 1) this.#controller.rise(gsi);
		};
		return {
			setLevel: (asserted) => {
				const level = asserted ? 1 : 0;
				if (Atomics.exchange(this.#words, source, level) !== level) locked(asserted ? up : down);
			},
			rise: () => locked(Atomics.exchange(this.#words, source, 1) === 0 ? up : again),
		};
	}
}
