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
	 * What a running processor is doing. Pending for as long as its thread hangs; undefined when the processor turned out
	 * not to run, so that its thread takes calls instead.
	 */
	ask(isRunning: () => boolean): Promise<CpuReport | undefined> {
		this.#asking ??= this.#ask(isRunning).finally(() => {
			this.#asking = undefined;
		});
		return this.#asking;
	}

	async #ask(isRunning: () => boolean): Promise<CpuReport | undefined> {
		const words = this.#probe.$atomic;
		Atomics.store(words, stateWord, probeState.asked);
		this.#kick();
		// A thread that leaves its run loop looks at the probe after it has said so: one of us sees the other.
		const withdrawn =
			!isRunning() && Atomics.compareExchange(words, stateWord, probeState.asked, probeState.idle) === probeState.asked;
		if (withdrawn) return undefined;
		await Atomics.waitAsync(words, stateWord, probeState.asked).value;
		// A text decoder takes no shared bytes.
		const text = new TextDecoder().decode(this.#probe.text.slice(0, this.#probe.length));
		Atomics.store(words, stateWord, probeState.idle);
		return JSON.parse(text, revive);
	}
}

const revive = (_key: string, value: unknown): unknown =>
	typeof value === 'string' && /^0x[0-9a-f]+$/.test(value) ? BigInt(value) : value;
