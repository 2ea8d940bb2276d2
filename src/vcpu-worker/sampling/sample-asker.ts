import {type KernelStack, type Sample, sampleState, VcpuSample, type VcpuSampleView} from './vcpu-sample.ts';

const stateWord = VcpuSample.word('state');

/** The asker's side of one vCPU's samples. One per machine: two would take each other's. Nothing here waits. */
export class SampleAsker {
	readonly #sample: VcpuSampleView;
	readonly #kick: () => void;

	/** @param kick - makes the vCPU's thread go round its run loop */
	constructor(sample: VcpuSampleView, kick: () => void) {
		this.#sample = sample;
		this.#kick = kick;
	}

	/** Asks for a sample, which is there soon. @returns false where the one before has not been answered yet */
	ask(): boolean {
		if (Atomics.load(this.#sample.$atomic, stateWord) === sampleState.asked) return false;
		Atomics.store(this.#sample.$atomic, stateWord, sampleState.asked);
		this.#kick();
		return true;
	}

	/** The sample that was asked for, once; undefined where it is not there yet. */
	take(): Sample | undefined {
		const {$atomic, isWaiting, isUser, space, count, frames, stackBytes} = this.#sample;
		if (Atomics.load($atomic, stateWord) !== sampleState.answered) return undefined;
		const sample = {
			isWaiting: isWaiting === 1,
			isUser: isUser === 1,
			space,
			frames: Array.from({length: count}, (_, index) => frames[index] as bigint),
			...(stackBytes > 0 && {stack: this.#stack(stackBytes)}),
		};
		Atomics.store($atomic, stateWord, sampleState.idle);
		return sample;
	}

	#stack(length: number): KernelStack {
		const {next, stackPointer, framePointer, hasReturned, stack} = this.#sample;
		return {
			next,
			pointer: stackPointer,
			frame: framePointer,
			bytes: Uint8Array.from(stack.subarray(0, length)),
			hasReturned: hasReturned === 1,
		};
	}

	/** Wants no answer any more. */
	withdraw(): void {
		Atomics.store(this.#sample.$atomic, stateWord, sampleState.idle);
	}
}
