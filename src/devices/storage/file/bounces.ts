import {HostMemory} from '#devices/guest-memory';

const bounceBytes = 2 ** 18;
/** As much memory as one request moves at most. */
const mostBounces = 16;

/** Who gets one. */
interface BounceUser {
	bounced(bounce: HostMemory): void;
}

/**
 * Memory that direct I/O takes, by which the data of other memory go part by part. A guest none of whose memory is aligned has no more of the
 * host's than these, for one disk.
 */
export class Bounces {
	readonly #free: HostMemory[] = [];
	readonly #waiting: BounceUser[] = [];
	#made = 0;

	/** Has the user get one, now or when another has given its own back. */
	take(user: BounceUser): void {
		const bounce = this.#free.pop() ?? this.#make();
		if (bounce === undefined) this.#waiting.push(user);
		else user.bounced(bounce);
	}

	give(bounce: HostMemory): void {
		const next = this.#waiting.shift();
		if (next === undefined) this.#free.push(bounce);
		else next.bounced(bounce);
	}

	#make(): HostMemory | undefined {
		if (this.#made === mostBounces) return undefined;
		this.#made++;
		return new HostMemory(bounceBytes);
	}
}
