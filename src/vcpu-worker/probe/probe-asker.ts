import {type CpuReport, probeState, VcpuProbe, type VcpuProbeView} from './vcpu-probe.ts';

const stateWord = VcpuProbe.word('state');

/** The asker's side of one vCPU's probe. One per machine: two askers would take each other's answers. */
export class ProbeAsker {
	readonly #probe: VcpuProbeView;
	readonly #kick: () => void;
	#asking: Promise<CpuReport | undefined> | undefined;

	/** @param kick - makes the vCPU's thread go round its run loop */
	constructor(probe: VcpuProbeView, kick: () => void) {
		this.#probe = probe;
		this.#kick = kick;
	}

	/**
	 * Tells what a processor is doing whose run has been asked for, as soon as it runs. Pending for as long as its thread hangs.
	 * @param run - settles when the run has ended
	 * @returns undefined where it has ended without an answer, so that the thread takes calls instead
	 */
	ask(run: Promise<unknown>): Promise<CpuReport | undefined> {
		this.#asking ??= this.#ask(run).finally(() => {
			this.#asking = undefined;
		});
		return this.#asking;
	}

	async #ask(run: Promise<unknown>): Promise<CpuReport | undefined> {
		const words = this.#probe.$atomic;
		Atomics.store(words, stateWord, probeState.asked);
		this.#kick();
		await Promise.race([Atomics.waitAsync(words, stateWord, probeState.asked).value, run.catch(() => {})]);
		const isWithdrawn =
			Atomics.compareExchange(words, stateWord, probeState.asked, probeState.idle) === probeState.asked;
		if (isWithdrawn) {
			// Ends the wait, which nobody else would.
			Atomics.notify(words, stateWord);
			return undefined;
		}
		// A text decoder takes no shared bytes.
		const text = new TextDecoder().decode(this.#probe.text.slice(0, this.#probe.length));
		Atomics.store(words, stateWord, probeState.idle);
		return JSON.parse(text, revive);
	}
}

const revive = (_key: string, value: unknown): unknown =>
	typeof value === 'string' && /^0x[0-9a-f]+$/.test(value) ? BigInt(value) : value;
