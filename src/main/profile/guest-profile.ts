import type {GuestSample} from '#main/vm';
import {CallTree, type FrameKey} from './call-tree.ts';
import {SampleLog} from './sample-log.ts';

/** Frame of a processor that waits for an interrupt, or to be started. */
export const waitingFrame = '(waiting)';
const kernelFrame = '[kernel]';

/** Entries of all logs together: at a thousand samples a second some minutes without one like the one before. */
const maxEntries = 2 ** 19;

/**
 * Bits of CR3 that are no address, and the one by which Linux tells the tables of a process's kernel side from those of its user side
 * (arch/x86/entry/calling.h, PTI_USER_PGTABLE_BIT).
 */
const notSpace = 0x1fffn;

/** What a guest's processors have been seen to execute. Its size is bounded. */
export class GuestProfile {
	readonly tree: CallTree;
	/** By processor. */
	readonly logs: readonly SampleLog[];
	#sampleCount = 0;

	constructor(processors: number) {
		this.tree = new CallTree();
		this.logs = Array.from({length: processors}, () => new SampleLog(Math.max(2, Math.floor(maxEntries / processors))));
	}

	get sampleCount(): number {
		return this.#sampleCount;
	}

	add(sample: GuestSample): void {
		this.#sampleCount++;
		this.logs[sample.vcpu]?.add(this.tree.add(stackOf(sample)), sample.ms);
	}
}

/** The calls of a sample from the outside in, in the kernel or in a process, which is told by its page tables. */
function stackOf({isWaiting, isUser, space, frames}: GuestSample): FrameKey[] {
	if (isWaiting) return [waitingFrame];
	const process = `[process ${(space & ~notSpace & ((1n << 52n) - 1n)).toString(16)}]`;
	return [isUser ? process : kernelFrame, ...frames.toReversed()];
}
