import {Frame, type Nic} from '#devices/network/endpoint';

/** A guest's NIC in a test's hands, at whose other end an endpoint is. */
export class TestNic implements Nic {
	readonly mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
	readonly mtu = 1500;
	readonly pairs: number;
	/** Frames that the guest has got. */
	readonly received: Frame[] = [];
	/** Of each: the pair of queues that it is for, where its endpoint has said one. */
	readonly receivedBy: (number | undefined)[] = [];
	/** It takes no more than so many. */
	most = Number.POSITIVE_INFINITY;
	/** Calls of {@link room}, and what the carrier was. */
	rooms = 0;
	readonly carriers: boolean[] = [];

	constructor(pairs = 1) {
		this.pairs = pairs;
	}

	receive(frame: Frame, pair?: number): boolean {
		if (this.received.length >= this.most) return false;
		const kept = new Frame(Math.max(1, frame.length));
		kept.copy(frame);
		this.received.push(kept);
		this.receivedBy.push(pair);
		return true;
	}

	room(): void {
		this.rooms++;
	}

	carrier(isUp: boolean): void {
		this.carriers.push(isUp);
	}
}
