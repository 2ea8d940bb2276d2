/** Less than this is shorter than a turn of the reactor: it is all or nothing. In nanoseconds. */
const leastNs = 10_000;

/**
 * How long a thread goes on looking for work before it sleeps. That helps where the next work comes sooner than a thread wakes, and else takes a processor
 * from whoever is to give it that work: so it follows from how long the thread has slept lately, as KVM has it for halted processors (Linux:
 * Documentation/virt/kvm/halt-polling.rst).
 */
export class PollWindow {
	#ns = Number.POSITIVE_INFINITY;

	/** In nanoseconds. @param mostNs - what it is at first, and at most */
	ns(mostNs: number): number {
		return Math.min(this.#ns, mostNs);
	}

	/** The thread has slept for so long: looking for no longer than the most would have found the work, or not. */
	slept(sleptNs: number, mostNs: number): void {
		const before = this.ns(mostNs);
		if (sleptNs < mostNs) this.#ns = Math.max(leastNs, 2 * before);
		else this.#ns = before / 2 < leastNs ? 0 : before / 2;
	}
}
