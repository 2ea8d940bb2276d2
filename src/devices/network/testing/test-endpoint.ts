import {allOffloads, type Endpoint, Frame, type Nic, type Offloads} from '#devices/network/endpoint';

/** An endpoint in a test's hands. */
export class TestEndpoint implements Endpoint {
	readonly takes: Offloads;
	/** Set when it has been opened. */
	nic!: Nic;
	/** Frames that the guest has sent. */
	readonly sent: Frame[] = [];
	/** Of each: the pair of queues that it came by. */
	readonly sentBy: (number | undefined)[] = [];
	/** It takes no more than so many. */
	most = Number.POSITIVE_INFINITY;
	/** What a guest that goes on elsewhere is told there, and what this one was told. */
	remembers: Uint8Array = new Uint8Array();
	recalled: Uint8Array | undefined;
	/** Calls of {@link room}, {@link start} and {@link stop}. */
	readonly calls: string[] = [];

	constructor(takes: Offloads = allOffloads) {
		this.takes = takes;
	}

	start(): void {
		this.calls.push('start');
	}

	send(frame: Frame, pair?: number): boolean {
		if (this.sent.length >= this.most) return false;
		const kept = new Frame(frame.length);
		kept.copy(frame);
		this.sent.push(kept);
		this.sentBy.push(pair);
		return true;
	}

	room(): void {
		this.calls.push('room');
	}

	stop(): void {
		this.calls.push('stop');
	}

	remember(most: number): Uint8Array {
		return this.remembers.slice(0, most);
	}

	recall(remembered: Uint8Array): void {
		this.calls.push('recall');
		this.recalled = remembered;
	}

	dispose(): void {
		this.calls.push('dispose');
	}
}
