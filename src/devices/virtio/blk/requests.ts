import {type Disk, DiskOperation} from '#devices/storage/disk';
import type {Chain, LeftChains, VirtQueue} from '#devices/virtio/queue';
import {BlkRequest, type RequestOwner} from './blk-request.ts';
import {idBytes, Lifetime, RequestHeader, RequestStatus, RequestType, sectorBytes} from './layout.ts';

/**
 * Most bytes that one request moves: a driver may ask for all of the disk at once, and has the thread or the host for so long. The
 * device says so.
 */
export const mostRequestBytes = 4 * 2 ** 20;

/** No disk of ours knows how worn its medium is. */
const unknownLifetime = Lifetime.encode({});

/** What a driver has agreed on and set, as it is now. */
export interface DriverChoice {
	/** A write is durable when it is done, without a flush. */
	isWriteThrough(): boolean;
	mayDiscard(): boolean;
	mayWriteZeroes(): boolean;
	mayAskLifetime(): boolean;
}

/** Serves one worker's requests from a disk. */
export class BlkRequests implements RequestOwner {
	readonly #disk: Disk;
	readonly #id = new Uint8Array(idBytes);
	readonly #choice: DriverChoice;
	readonly #header = RequestHeader.on(new ArrayBuffer(RequestHeader.byteLength));
	/** Those that are not in flight, to be used again. */
	readonly #free: BlkRequest[] = [];
	/** Those that are to be tried again when the machine goes on. */
	#held: BlkRequest[] = [];
	#inFlight = 0;
	#isGone = false;
	#emptied: (() => void) | undefined;

	constructor(disk: Disk, id: string, choice: DriverChoice) {
		this.#disk = disk;
		this.#choice = choice;
		new TextEncoder().encodeInto(id, this.#id);
	}

	/** Requests that the disk has. */
	get inFlight(): number {
		return this.#inFlight;
	}

	/** Resolves when the disk has none. */
	async drained(): Promise<void> {
		if (this.#inFlight === 0) return;
		const {promise, resolve} = Promise.withResolvers<void>();
		this.#emptied = resolve;
		await promise;
	}

	/** Leaves what is to be tried again to the driver's queues. When nothing is in flight. */
	leaveHeld(left: LeftChains): void {
		const held = this.#held;
		this.#held = [];
		for (const request of held) {
			left.leave(request.queue, request.queueIndex, request.chain);
			this.#free.push(request);
		}
	}

	/** Gives up what is to be tried again of a queue, whose driver does not wait for it any more. */
	giveUp(queue: VirtQueue): void {
		const given = this.#held.filter((request) => request.queue === queue);
		this.#held = this.#held.filter((request) => request.queue !== queue);
		for (const request of given) {
			this.#inFlight++;
			this.ended(request, RequestStatus.IO_ERROR, 0);
		}
	}

	/** The device has gone: what is in flight ends without the driver, whose queues may be another's. */
	leave(): void {
		this.#isGone = true;
	}

	/**
	 * Does what a chain asks for, and completes it, now or later.
	 * @param fails - answers with an error instead
	 */
	serve(queue: VirtQueue, index: number, chain: Chain): void {
		// Without a byte for the status there is no way to say anything (virtio 1.2, 5.2.6.1).
		if (chain.writable === 0 || !chain.readWords(this.#header.$atomic)) {
			queue.complete(chain, 0);
			return;
		}
		const request = (this.#free.pop() ?? new BlkRequest(this)).begin(queue, index, chain);
		this.#inFlight++;
		this.#perform(request, chain);
	}

	submit(request: BlkRequest): void {
		if (this.#isGone) this.ended(request, RequestStatus.IO_ERROR, 0);
		else this.#disk.submit(request);
	}

	ended(request: BlkRequest, status: number, written: number): void {
		if (!this.#isGone) {
			const {chain, queue} = request;
			queue.complete(chain, chain.writeLast(status) ? written + 1 : 0);
		}
		this.#free.push(request);
		this.#leftDisk();
	}

	held(request: BlkRequest): void {
		// Who has agreed on a packed ring with a machine of another policy, and then was restored, hears of the error.
		if (this.#isGone || !request.queue.mayLeave) {
			this.ended(request, RequestStatus.IO_ERROR, 0);
			return;
		}
		this.#held.push(request);
		this.#leftDisk();
	}

	#leftDisk(): void {
		this.#inFlight--;
		if (this.#inFlight > 0) return;
		this.#emptied?.();
		this.#emptied = undefined;
	}

	#perform(request: BlkRequest, chain: Chain): void {
		const {type, sector} = this.#header;
		const [readable, writable] = [chain.readable - RequestHeader.size, chain.writable - 1];
		const at = sector * sectorBytes;
		switch (type) {
			case RequestType.IN:
				if (writable <= mostRequestBytes) request.transfer(DiskOperation.READ, at, writable, false);
				else this.ended(request, RequestStatus.IO_ERROR, 0);
				return;
			case RequestType.OUT:
				if (readable <= mostRequestBytes)
					request.transfer(DiskOperation.WRITE, at, readable, this.#choice.isWriteThrough());
				else this.ended(request, RequestStatus.IO_ERROR, 0);
				return;
			case RequestType.FLUSH:
				request.flush();
				return;
			case RequestType.GET_ID:
				this.#answer(request, this.#id, writable);
				return;
			case RequestType.GET_LIFETIME:
				if (this.#choice.mayAskLifetime()) this.#answer(request, unknownLifetime, writable);
				else this.ended(request, RequestStatus.UNSUPPORTED, 0);
				return;
			case RequestType.DISCARD:
				if (this.#choice.mayDiscard()) request.clear(DiskOperation.DISCARD, readable, false);
				else this.ended(request, RequestStatus.UNSUPPORTED, 0);
				return;
			case RequestType.WRITE_ZEROES:
				if (this.#choice.mayWriteZeroes())
					request.clear(DiskOperation.WRITE_ZEROES, readable, this.#choice.isWriteThrough());
				else this.ended(request, RequestStatus.UNSUPPORTED, 0);
				return;
			default:
				this.ended(request, RequestStatus.UNSUPPORTED, 0);
		}
	}

	/** Gives a driver what it has room for. */
	#answer(request: BlkRequest, bytes: Uint8Array, room: number): void {
		const length = Math.min(room, bytes.length);
		const isDone = request.chain.write(0, bytes, 0, length);
		this.ended(request, isDone ? RequestStatus.OK : RequestStatus.IO_ERROR, isDone ? length : 0);
	}
}
