import {addressOf} from '#support/ffi';

const pageBytes = 4096;
const bounceBytes = 2 ** 18;
/** As much memory as one request moves at most. */
const mostBounces = 16;

/** Memory that direct I/O takes, by which the data of other memory go part by part. */
export class Bounce {
	readonly bytes: Uint8Array;
	readonly address: number;

	constructor() {
		const room = new Uint8Array(bounceBytes + pageBytes);
		const address = Number(addressOf(room));
		const skipped = (pageBytes - (address % pageBytes)) % pageBytes;
		this.bytes = room.subarray(skipped, skipped + bounceBytes);
		this.address = address + skipped;
	}
}

/** Who gets one. */
interface BounceUser {
	bounced(bounce: Bounce): void;
}

/** Those of a disk: a guest none of whose memory is aligned has no more of the host's than these. */
export class Bounces {
	readonly #free: Bounce[] = [];
	readonly #waiting: BounceUser[] = [];
	#made = 0;

	/** Has the user get one, now or when another has given its own back. */
	take(user: BounceUser): void {
		const bounce = this.#free.pop() ?? this.#make();
		if (bounce === undefined) this.#waiting.push(user);
		else user.bounced(bounce);
	}

	give(bounce: Bounce): void {
		const next = this.#waiting.shift();
		if (next === undefined) this.#free.push(bounce);
		else next.bounced(bounce);
	}

	#make(): Bounce | undefined {
		if (this.#made === mostBounces) return undefined;
		this.#made++;
		return new Bounce();
	}
}
